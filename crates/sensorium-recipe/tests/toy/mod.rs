//! A recipe over texts that trains in a moment, and rows for it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_recipe::{Error, Finished, Observer, Options, Recipe, train};
use sensorium_train::{StepLog, Watch};

pub const RECIPE: &str = r#"
name = "toy"
[batch]
size = 4
[encoders.text]
vocab_size = 40
max_tokens = 8
d_model = 8
n_layers = 1
n_heads = 2
[fusion]
kind = "concat"
d_model = 8
[train]
epochs = 2
lr = 1e-2
checkpoint_every = 1
"#;

/// The recipe on a manifest, with keys changed.
pub fn recipe(manifest: &Path, sets: &[&str]) -> Recipe {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let mut recipe = Recipe::parse("toy.toml", RECIPE, &sets).expect("a recipe");
    recipe.data.path = Some(manifest.to_owned());
    recipe
}

/// A manifest of 16 rows of two classes, and `more` lines.
pub fn manifest(dir: &Path, more: &str) -> PathBuf {
    let mut rows = String::from("id,text,image,label,split\n");
    for i in 0..16 {
        let text = ["it purrs", "it barks"][i % 2];
        let split = ["train", "train", "valid", "test"][i / 2 % 4];
        rows.push_str(&format!("r{i},{text} {i},,{},{split}\n", i % 2));
    }
    let path = dir.join("m.csv");
    std::fs::write(&path, rows + more).expect("a manifest");
    path
}

/// Trains into `out`.
pub fn run(recipe: Recipe, out: &Path, observer: &mut dyn Observer) -> Result<Finished, Error> {
    let device = Device::flex();
    let options = Options::new(&device, "flex");
    train(recipe, Some(out), &options, observer)
}

/// What is done when a phase begins.
type AtPhase<'a> = Box<dyn FnMut(&str) + 'a>;

/// Keeps what was said, and does something at a step or when a phase begins.
#[derive(Default)]
pub struct Seen<'a> {
    pub notes: Vec<String>,
    pub phases: Vec<String>,
    pub at_step: Option<Box<dyn FnMut(usize) + 'a>>,
    pub at_phase: Option<AtPhase<'a>>,
}

impl Watch for Seen<'_> {
    fn on_step(&mut self, step: &StepLog) -> ControlFlow<()> {
        if let Some(act) = &mut self.at_step {
            act(step.step);
        }
        ControlFlow::Continue(())
    }
}

impl Observer for Seen<'_> {
    fn phase(&mut self, what: &str, _total: usize) {
        self.phases.push(what.to_owned());
        if let Some(act) = &mut self.at_phase {
            act(what);
        }
    }

    fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }
}
