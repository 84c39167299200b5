//! `sensorium inspect`: what a checkpoint holds, which family it is, and what would not load.

use std::collections::BTreeMap;
use std::path::Path;

use sensorium_hub::{Checkpoint, Weights};
use sensorium_models::Family;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Common, InspectArgs};
use crate::tree::{self, Leaf};
use crate::{models, screen};

#[derive(Debug, Serialize)]
struct Inspection {
    model: String,
    family: Option<String>,
    /// Whether there is no `config.json`, and the family is guessed by the names of tensors.
    family_is_a_guess: bool,
    parameters: u64,
    bytes: u64,
    dtypes: BTreeMap<&'static str, u64>,
    files: Vec<String>,
    /// Whether it would load; nothing without a `config.json`, for one shard of many, or an unknown family.
    loads: Option<bool>,
    /// Why it would not, or what is left over.
    problems: Vec<String>,
    tensors: Vec<Tensor>,
}

#[derive(Debug, Serialize)]
struct Tensor {
    name: String,
    dtype: &'static str,
    shape: Vec<usize>,
}

/// Prints it as a tree, or all of it as JSON.
pub fn run(args: &InspectArgs, common: &Common) -> anyhow::Result<()> {
    let path = Path::new(&args.model);
    let checkpoint = match path.is_file() {
        true => Checkpoint::file_of_weights(path),
        false => models::open(&args.model, common)?,
    };
    let there = |name| Ok::<_, anyhow::Error>(checkpoint.optional(name)?.is_some());
    let described = match there("config.json")? || there("modules.json")? {
        true => Some(sensorium_models::described(&checkpoint)?),
        false => None,
    };
    let folder = described.as_ref().map_or("", |(folder, _)| folder);
    let weights = checkpoint.weights_of(folder)?;
    let mut inspection = of_weights(&args.model, &weights);
    match &described {
        Some((_, config)) => add_family(&mut inspection, &checkpoint, config, common)?,
        None => guess_family(&mut inspection, &weights),
    }
    match common.json {
        true => screen::json(&inspection),
        false => screen::text(&shown(&inspection, args.all)),
    }
}

fn of_weights(model: &str, weights: &Weights) -> Inspection {
    let mut dtypes = BTreeMap::new();
    let (mut parameters, mut bytes) = (0, 0);
    let mut tensors = Vec::with_capacity(weights.len());
    for view in weights.iter() {
        let count = view.count() as u64;
        *dtypes.entry(view.dtype.name()).or_insert(0) += count;
        parameters += count;
        bytes += view.bytes.len() as u64;
        tensors.push(Tensor {
            name: view.name.to_owned(),
            dtype: view.dtype.name(),
            shape: view.shape.to_vec(),
        });
    }
    Inspection {
        model: model.to_owned(),
        family: None,
        family_is_a_guess: false,
        parameters,
        bytes,
        dtypes,
        files: weights.files().map(|f| f.display().to_string()).collect(),
        loads: None,
        problems: Vec::new(),
        tensors,
    }
}

fn add_family(
    inspection: &mut Inspection,
    checkpoint: &Checkpoint,
    config: &Value,
    common: &Common,
) -> anyhow::Result<()> {
    match Family::name_of(checkpoint.name(), config) {
        Ok(name) => inspection.family = Some(name.to_owned()),
        Err(error) => {
            inspection.problems.push(error.to_string());
            return Ok(());
        }
    }
    if is_shard(Path::new(&inspection.model)) {
        let problem = "is one shard of many: inspect its folder to see whether all of them load";
        inspection.problems.push(problem.to_owned());
        return Ok(());
    }
    // Nothing is computed: the device is only where parameters would be.
    let device = sensorium_runtime::open(common.backend)?;
    match sensorium_models::fit(checkpoint, &device) {
        Ok(report) => {
            inspection.loads = Some(true);
            let left = report.unused.iter();
            inspection.problems = left.map(|name| format!("not used: {name}")).collect();
        }
        Err(error) => {
            inspection.loads = Some(false);
            let text = error.to_string();
            inspection.problems = text.lines().map(|line| line.trim().to_owned()).collect();
        }
    }
    Ok(())
}

fn guess_family(inspection: &mut Inspection, weights: &Weights) {
    let family = Family::guess(weights.names());
    inspection.family = family.map(|family| family.to_string());
    inspection.family_is_a_guess = family.is_some();
    let problem = "there is no config.json: whether it loads cannot be told";
    inspection.problems.push(problem.to_owned());
}

/// Whether a file is `model-00001-of-00002.safetensors` and the like.
fn is_shard(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    path.is_file() && stem.is_some_and(|stem| stem.contains("-of-"))
}

fn shown(inspection: &Inspection, all: bool) -> String {
    let Inspection {
        model,
        family,
        family_is_a_guess,
        parameters,
        bytes,
        dtypes,
        files,
        loads,
        problems,
        tensors,
    } = inspection;
    let mut lines = vec![format!("model       {model}")];
    if let Some(family) = family {
        let guess = match family_is_a_guess {
            true => " (a guess by the names of its tensors)",
            false => "",
        };
        lines.push(format!("family      {family}{guess}"));
    }
    let size = screen::bytes(*bytes);
    let file = match files.len() {
        1 => "one file".to_owned(),
        n => format!("{n} files"),
    };
    lines.push(format!(
        "parameters  {} in {} tensors, {size} in {file}",
        grouped(*parameters),
        tensors.len()
    ));
    let dtypes: Vec<String> = dtypes
        .iter()
        .map(|(name, n)| format!("{name} {}", grouped(*n)))
        .collect();
    lines.push(format!("numbers     {}", dtypes.join(", ")));
    match loads {
        Some(true) => lines.push("loads       yes".to_owned()),
        Some(false) => lines.push("loads       no".to_owned()),
        None => lines.push("loads       not known".to_owned()),
    }
    lines.extend(
        problems
            .iter()
            .map(|problem| format!("            {problem}")),
    );
    lines.push(String::new());
    let leaves = tensors.iter().map(|tensor| Leaf {
        path: &tensor.name,
        what: format!("{} {:?}", tensor.dtype, tensor.shape),
    });
    lines.extend(tree::lines(leaves, all));
    lines.join("\n")
}

/// `151 277 313`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
