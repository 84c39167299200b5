//! `sensorium eval`: a trained model on a part of its data, or on other data.

use sensorium_recipe::{Part, SavedModel};

use crate::args::{Common, EvalArgs, SplitArg};
use crate::progress::Progress;
use crate::screen;

/// Measures a model and prints its numbers.
pub fn run(args: &EvalArgs, common: &Common) -> anyhow::Result<()> {
    let mut progress = Progress::new(common.quiet);
    let device = sensorium_runtime::open(common.backend)?;
    let model = SavedModel::open(&args.run, &device)?;
    let measured = model.measure(
        args.data.as_deref(),
        args.split.map(part),
        &args.drop,
        args.on_error.map(Into::into),
        &mut progress,
    )?;
    if common.json {
        return screen::json(&measured);
    }
    let mut text = screen::measured(
        measured.test.as_ref(),
        measured.multi_label.as_ref(),
        measured.regression.as_ref(),
        Some(&measured.ablation),
    );
    if measured.skipped_rows > 0 {
        text.push_str(&format!(
            "\n{} rows left out (--json lists them)",
            measured.skipped_rows
        ));
    }
    screen::text(&text)
}

fn part(split: SplitArg) -> Part {
    match split {
        SplitArg::Train => Part::Train,
        SplitArg::Valid => Part::Valid,
        SplitArg::Test => Part::Test,
        SplitArg::All => Part::All,
    }
}
