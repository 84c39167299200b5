//! `sensorium sweep`: many runs of one recipe, and which of them did best.

use sensorium_recipe::{Options, Space, sweep};

use super::train::recipe;
use crate::args::{Common, SweepArgs};
use crate::progress::Progress;
use crate::screen;

/// Trains what there is to try, or what is left of it, and prints a table.
pub fn run(args: &SweepArgs, common: &Common) -> anyhow::Result<()> {
    let mut progress = Progress::new(common.quiet);
    let data = args.data.as_deref();
    let recipe = recipe(&args.recipe, &args.set, data, args.on_error)?;
    let space = Space {
        grid: args.grid.clone(),
        random: args.random.clone(),
        runs: args.runs,
        seed: args.seed,
    };
    let opened = sensorium_runtime::choose(common.backend)?;
    let options = Options::new(&opened.device, opened.found.backend.to_string());
    progress.line(&format!(
        "{} runs of {} on {}: {}",
        space.settings()?.len(),
        args.recipe,
        opened.found.backend,
        opened.found.name
    ));
    let done = sweep(recipe, &space, args.out.as_deref(), &options, &mut progress)?;
    match common.json {
        true => screen::json(&done),
        false => {
            let root = done.root.display();
            screen::text(&format!("{}\nsweep   {root}", done.table()))
        }
    }
}
