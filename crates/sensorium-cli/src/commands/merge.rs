//! `sensorium merge`: an adapter into the model that it was made for.

use std::path::{Path, PathBuf};

use sensorium_hub::Adapter;
use serde::Serialize;

use crate::args::{Common, MergeArgs};
use crate::{models, screen};

/// What came of it.
#[derive(Debug, Serialize)]
struct Merged {
    out: PathBuf,
    /// How many matrices were added to.
    added_to: usize,
    /// Tensors that the adapter brought whole, by the model's names.
    whole: Vec<String>,
    /// Those of them that the model did not have.
    new: Vec<String>,
}

/// Merges, and says what was changed.
pub fn run(args: &MergeArgs, common: &Common) -> anyhow::Result<()> {
    let adapter = Adapter::open(&args.adapter)?;
    let mut done = Merged {
        out: args.out.clone(),
        added_to: adapter.factors().count(),
        whole: adapter.whole().map(|(name, _)| name.to_owned()).collect(),
        new: Vec::new(),
    };
    match run_of(Path::new(&args.model)) {
        Some(run) => {
            let device = sensorium_runtime::open(common.backend)?;
            sensorium_recipe::merge(&run, &args.adapter, &args.out, &device)?;
        }
        None => {
            let checkpoint = models::open(&args.model, common)?;
            let merged = sensorium_models::merge_adapter(&checkpoint, &adapter, &args.out)?;
            done.new = merged.new;
        }
    }
    if common.json {
        return screen::json(&done);
    }
    let mut text = format!("{} matrices added to", done.added_to);
    if !done.whole.is_empty() {
        text.push_str(&format!(
            ", {} tensors replaced",
            done.whole.len() - done.new.len()
        ));
    }
    if !done.new.is_empty() {
        text.push_str(&format!(", new: {}", done.new.join(", ")));
    }
    screen::text(&format!("{text}\nmodel   {}", done.out.display()))
}

/// The run whose folder is named, or whose `model/` is, as adapters name it.
fn run_of(model: &Path) -> Option<PathBuf> {
    let is_run = |folder: &Path| folder.join("recipe.toml").is_file();
    if is_run(model) {
        return Some(model.to_owned());
    }
    let run = model.parent().filter(|_| model.ends_with("model"));
    run.filter(|run| is_run(run)).map(Path::to_owned)
}
