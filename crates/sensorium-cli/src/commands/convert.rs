//! `sensorium data convert`: a data set in another layout.

use std::path::Path;

use sensorium_data::{
    Columns, Converted, Holds, InputColumn, Table, Target, built_in, convert, open,
};
use sensorium_recipe::Observer;
use sensorium_recipe::modalities::KNOWN;

use super::data::shown;
use crate::Misuse;
use crate::args::Common;
use crate::args::data::{ColumnArgs, ConvertArgs, TargetArg};
use crate::progress::Progress;
use crate::screen;

pub fn run(args: &ConvertArgs, common: &Common) -> anyhow::Result<()> {
    let to = target(&args.out, args.to)?;
    let mut progress = Progress::new(common.quiet);
    let table = match built_in(&args.from.to_string_lossy()) {
        Some(make) if !args.from.exists() => make()?,
        _ => opened(args, &progress)?,
    };
    let mut show = shown(&mut progress, "writing");
    let done = convert(&table, to, &args.out, args.shard_size, &mut show);
    drop(show);
    progress.phase_end();
    let done = done?;
    if common.json {
        return screen::json(&done);
    }
    screen::text(&told(&args.out, &done))
}

fn opened(args: &ConvertArgs, progress: &Progress) -> anyhow::Result<Table> {
    let columns = columns(&args.columns);
    let columns = columns.for_modalities(KNOWN.iter().map(|m| m.name()));
    let opened = open(&args.from, &columns, args.on_error.into())?;
    opened.notes.iter().for_each(|line| progress.line(line));
    for bad in &opened.bad {
        progress.line(&format!("left out: {bad}"));
    }
    Ok(opened.table)
}

/// What is asked for, which must fit the name.
fn target(out: &Path, asked: Option<TargetArg>) -> anyhow::Result<Target> {
    let asked = asked.map(|asked| match asked {
        TargetArg::Manifest => Target::Manifest,
        TargetArg::Folders => Target::Folders,
        TargetArg::Shards => Target::Shards,
        TargetArg::Parquet => Target::Parquet,
    });
    let refuse = |problem: &str| Err(Misuse(format!("{}: {problem}", out.display())).into());
    match (Target::of(out), asked) {
        (Some(told), Some(asked)) if told != asked => {
            refuse("its name ends like a file of another kind than --to says")
        }
        (Some(told), _) => Ok(told),
        (None, Some(asked)) => Ok(asked),
        (None, None) => refuse(
            "say what the folder is to hold, with --to manifest, folders, shards or parquet; or name a file that ends in .jsonl, \
             .csv, .tsv, .tar or .parquet",
        ),
    }
}

/// The columns that a person names.
pub fn columns(args: &ColumnArgs) -> Columns {
    let mut columns = Columns::default();
    for (what, name) in &args.column {
        let own = match what.as_str() {
            "id" => &mut columns.id,
            "label" => &mut columns.label,
            "split" => &mut columns.split,
            "group" => &mut columns.group,
            modality => {
                let holds = match modality {
                    "text" => Holds::Text,
                    _ => Holds::File,
                };
                let column = InputColumn {
                    column: name.clone(),
                    holds,
                };
                columns.inputs.insert(modality.to_owned(), column);
                continue;
            }
        };
        own.clone_from(name);
    }
    columns
}

fn told(out: &Path, done: &Converted) -> String {
    let files = if done.files == 1 { "file" } else { "files" };
    let mut text = format!(
        "{}: {} rows in {} {files}",
        out.display(),
        done.rows,
        done.files
    );
    for note in &done.notes {
        text.push_str(&format!("\n{note}"));
    }
    text
}
