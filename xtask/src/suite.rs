//! `suite`: one recipe with one thing changed at a time, each with several seeds, and a table of what came of it.
//!
//! A suite is a file `suites/NAME.toml`: a `recipe`, what is `set` for all, `seeds`, and under `[runs]` a name and what is set for
//! each; or instead of these several `recipes`, each beside its own variations. Runs that are complete are kept, so that a suite that
//! was stopped goes on.

mod reached;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use toml_edit::{DocumentMut, Item};

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::run::built;

#[derive(Args)]
#[command(
    after_help = "Runs stand in runs/suites/NAME, and the table in docs/src/suites/NAME.md. With --short nothing of either is kept.\n\n\
        Examples:\n  cargo xtask suite fusion\n  cargo xtask suite fusion --only gated --only concat\n  cargo xtask suite fusion --short"
)]
pub(crate) struct Options {
    /// Which: `suites/NAME.toml`
    name: String,
    /// These runs alone, and no table in the book
    #[arg(long, value_name = "RUN")]
    only: Vec<String>,
    /// Two steps each, with the first seed: whether all can be trained at all
    #[arg(long)]
    short: bool,
    /// Where tensors run
    #[arg(long, default_value = "flex")]
    backend: Backend,
}

/// What a suite's file says.
struct Suite {
    title: String,
    /// What is changed one thing at a time; none, if recipes are told side by side.
    recipe: Option<String>,
    set: Vec<String>,
    /// What is set besides with `--short`, by run: what two steps do not end soon.
    short: BTreeMap<String, Vec<String>>,
    seeds: Vec<i64>,
    runs: Vec<(String, Vec<String>)>,
}

impl Suite {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("there is no suite {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let file: DocumentMut = text.parse()?;
        for (key, _) in file.iter() {
            if ![
                "title", "recipe", "recipes", "set", "short", "seeds", "runs",
            ]
            .contains(&key)
            {
                bail!(
                    "{key} is no key of a suite: title, recipe or recipes, set, short, seeds, [runs]"
                );
            }
        }
        let word = |key: &str| {
            let found = file.get(key).and_then(Item::as_str);
            found
                .map(str::to_owned)
                .with_context(|| format!("{key} is missing, or no text"))
        };
        let seeds = file.get("seeds").and_then(Item::as_array);
        let seeds: Vec<i64> = seeds
            .map(|seeds| seeds.iter().filter_map(|seed| seed.as_integer()).collect())
            .unwrap_or_default();
        let recipes = texts("recipes", file.get("recipes"))?;
        let runs: Vec<(String, Vec<String>)> = match recipes.is_empty() {
            true => {
                let runs = file.get("runs").and_then(Item::as_table);
                let runs = runs.context("[runs] is missing")?;
                let run =
                    |(name, set): (&str, &Item)| Ok((name.to_owned(), texts(name, Some(set))?));
                runs.iter().map(run).collect::<Result<_>>()?
            }
            false => recipes
                .iter()
                .map(|name| (name.clone(), Vec::new()))
                .collect(),
        };
        if seeds.is_empty() || runs.is_empty() {
            bail!("there are no seeds, or no runs");
        }
        Ok(Self {
            title: word("title")?,
            recipe: match recipes.is_empty() {
                true => Some(word("recipe")?),
                false => None,
            },
            set: texts("set", file.get("set"))?,
            short: short(&file)?,
            seeds,
            runs,
        })
    }
}

/// `[short]`
fn short(file: &DocumentMut) -> Result<BTreeMap<String, Vec<String>>> {
    let table = file.get("short").and_then(Item::as_table);
    let entries = table.into_iter().flat_map(|table| table.iter());
    entries
        .map(|(name, set)| Ok((name.to_owned(), texts(name, Some(set))?)))
        .collect()
}

/// A list of texts; nothing, if it is not there.
fn texts(key: &str, item: Option<&Item>) -> Result<Vec<String>> {
    let Some(item) = item else {
        return Ok(Vec::new());
    };
    let list = item
        .as_array()
        .map(|list| list.iter().map(|text| text.as_str().map(str::to_owned)));
    let list: Option<Vec<String>> = list.and_then(Iterator::collect);
    list.with_context(|| format!("{key} is no list of texts"))
}

/// Trains what is not trained yet, and writes the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let file = workspace.root.join("suites").join(&options.name);
    let suite = Suite::read(&file.with_extension("toml"))?;
    let known: Vec<&str> = suite.runs.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(wrong) = options
        .only
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        bail!(
            "{} has no run {wrong}; it has {}",
            options.name,
            known.join(", ")
        );
    }
    let folder = match options.short {
        true => workspace.target.join("suite").join(&options.name),
        false => workspace.root.join("runs/suites").join(&options.name),
    };
    if options.short && folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let all = trained(&workspace, &suite, options, &folder)?;
    let all = all
        .iter()
        .map(|(name, metrics)| (name.as_str(), metrics.as_slice()));
    let table = match suite.recipe {
        Some(_) => {
            let rows = all.map(|(name, metrics)| table::Row::of(name, metrics));
            table::markdown(&rows.collect::<Result<Vec<_>>>()?)
        }
        None => {
            let rows = all.map(|(name, metrics)| reached::Row::of(name, metrics));
            reached::markdown(&rows.collect::<Result<Vec<_>>>()?)
        }
    };
    println!("{table}");
    if options.short {
        fs::remove_dir_all(&folder)?;
    } else if options.only.is_empty() {
        let pages = workspace.root.join("docs/src/suites");
        let path = pages.join(&options.name).with_extension("md");
        fs::create_dir_all(&pages)?;
        fs::write(&path, page(&suite, options, &table))?;
        println!("written: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// What the runs that are asked for came to, each with its seeds, once they are all trained in `folder`.
fn trained(
    workspace: &Workspace,
    suite: &Suite,
    options: &Options,
    folder: &Path,
) -> Result<Vec<(String, Vec<Value>)>> {
    let seeds = match options.short {
        true => &suite.seeds[..1],
        false => &suite.seeds,
    };
    let more: &[String] = match options.short {
        true => &["train.steps=2".to_owned(), "batch.eval_size=400".to_owned()],
        false => &[],
    };
    let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|n| n == name);
    let runs: Vec<_> = suite.runs.iter().filter(|(name, _)| chosen(name)).collect();
    // Built once: what is compared is of one program.
    let program = built(workspace, Some(options.backend))?;
    let mut rows = Vec::new();
    for (i, (name, set)) in runs.iter().enumerate() {
        let mut metrics = Vec::new();
        for seed in seeds {
            eprintln!("{} of {}: {name}, seed {seed}", i + 1, runs.len());
            let mut train = Command::new(program.get_program());
            let variables = program
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?)));
            train.envs(variables).current_dir(&workspace.root);
            train.args([
                "train",
                suite.recipe.as_ref().unwrap_or(name),
                "--backend",
                options.backend.name(),
            ]);
            train.args(["--set", &format!("train.seed={seed}")]);
            let short = suite.short.get(name).filter(|_| options.short);
            let short = short.into_iter().flatten();
            for set in suite.set.iter().chain(set).chain(more).chain(short) {
                train.args(["--set", set]);
            }
            metrics.push(metrics_of(train, &folder.join(format!("{name}-{seed}")))?);
        }
        rows.push((name.clone(), metrics));
    }
    Ok(rows)
}

fn page(suite: &Suite, options: &Options, table: &str) -> String {
    let set = match suite.set.is_empty() {
        true => String::new(),
        false => format!(" with `{}`", suite.set.join("`, `")),
    };
    let backend = options.backend.name();
    let seeds: Vec<String> = suite.seeds.iter().map(i64::to_string).collect();
    format!(
        "# {}\n\nMade by `cargo xtask suite {}`: {}{set}, on {backend}. In per cent on the test rows, the mean over the seeds {} and how far \
         the farthest is from it. {}\n\n{table}",
        suite.title,
        options.name,
        match &suite.recipe {
            Some(recipe) => format!("the recipe `{recipe}`"),
            None => "each recipe as it is".to_owned(),
        },
        seeds.join(", "),
        match &suite.recipe {
            Some(_) =>
                "A step's time is that of the fastest tenth on two cores, which other work on the machine disturbs least.",
            None =>
                "Points are those of each seed; seconds are of the whole run with all that stands beside it, on two cores, of the quickest seed.",
        },
    )
}

/// The numbers of the run that `train` makes in `out`, if it is not there already.
fn metrics_of(mut train: Command, out: &Path) -> Result<Value> {
    let file = out.join("metrics.json");
    if !file.is_file() {
        // One that was stopped begins again, with the recipe as it is now.
        if out.exists() {
            fs::remove_dir_all(out)?;
        }
        train.arg("--quiet").arg("--out").arg(out);
        train.stdout(Stdio::null());
        let status = cargo::status(&mut train)?;
        if !status.success() {
            bail!("`{}` failed: {status}", cargo::shown(&train));
        }
    }
    let text = fs::read(&file).with_context(|| format!("{} is not there", file.display()))?;
    let mut metrics: Value =
        serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
    metrics["step_ms"] = step_ms(&out.join("metrics.jsonl"))?.into();
    Ok(metrics)
}

/// Milliseconds of a step, as the fastest tenth of them took.
fn step_ms(log: &Path) -> Result<Option<f64>> {
    let text =
        fs::read_to_string(log).with_context(|| format!("{} is not there", log.display()))?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut steps: Vec<(u64, f64)> = lines
        .filter_map(|line| Some((line["samples"].as_u64()?, line["samples_per_s"].as_f64()?)))
        .collect();
    // The last batch of an epoch may be smaller.
    let most = steps.iter().map(|(samples, _)| *samples).max();
    steps.retain(|(samples, _)| Some(*samples) == most);
    let mut times: Vec<f64> = steps
        .iter()
        .map(|(n, per_s)| 1000.0 * *n as f64 / per_s)
        .collect();
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 10).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suites_that_are_there_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites");
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Recipes of their own stand beside them.
            if fs::read_to_string(&path).unwrap().contains("[encoders") {
                continue;
            }
            let suite = Suite::read(&path).unwrap();
            assert!(suite.seeds.len() >= 3, "{}", path.display());
            count += 1;
        }
        assert!(count >= 2);
    }

    #[test]
    fn what_is_wrong_with_a_suite_is_named() {
        let good = "title = 'a'\nrecipe = 'b'\nseeds = [1]\n[runs]\nx = ['k=1']\n";
        assert_eq!(
            Suite::parse(good).unwrap().runs,
            [("x".to_owned(), vec!["k=1".to_owned()])]
        );
        for (text, expected) in [
            (good.replace("title", "titel"), "titel is no key of a suite"),
            (good.replace("recipe = 'b'\n", ""), "recipe is missing"),
            (
                good.replace("recipe = 'b'", "recipes = 'b'"),
                "recipes is no list of texts",
            ),
            (good.replace("['k=1']", "'k=1'"), "x is no list of texts"),
            (good.replace("[1]", "[]"), "there are no seeds"),
            (good.replace("[runs]", "[walks]"), "walks is no key"),
        ] {
            let error = format!("{:#}", Suite::parse(&text).err().expect(&text));
            assert!(error.contains(expected), "{error}");
        }
    }
}
