//! `sensorium inspect`: what a checkpoint holds, which family it is, and what would not load.

use std::collections::BTreeMap;
use std::path::Path;

use sensorium_hub::{Checkpoint, Weights};
use sensorium_models::Family;
use serde::Serialize;

use crate::args::{Common, InspectArgs};
use crate::tree::{self, Leaf};
use crate::{models, screen};

#[derive(Debug, Serialize)]
struct Inspection {
    model: String,
    /// Of a folder or a hub's model.
    family: Option<String>,
    parameters: u64,
    bytes: u64,
    dtypes: BTreeMap<&'static str, u64>,
    files: Vec<String>,
    /// Whether it would load; nothing for a file alone, or an unknown family.
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
    let inspection = if path.is_file() {
        of_weights(&args.model, &Weights::open(path)?)
    } else {
        let checkpoint = models::open(&args.model, common)?;
        let mut inspection = of_weights(&args.model, &checkpoint.weights()?);
        add_family(&mut inspection, &checkpoint, common)?;
        inspection
    };
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
    common: &Common,
) -> anyhow::Result<()> {
    let config = checkpoint.config()?;
    match Family::name_of(checkpoint.name(), &config) {
        Ok(name) => inspection.family = Some(name.to_owned()),
        Err(error) => {
            inspection.problems.push(error.to_string());
            return Ok(());
        }
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

fn shown(inspection: &Inspection, all: bool) -> String {
    let Inspection {
        model,
        family,
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
        lines.push(format!("family      {family}"));
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
        None => {}
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
