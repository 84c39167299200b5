//! `sensorium sweep`: many runs of one recipe, and which of them did best.

use sensorium_recipe::{Space, sweep};

use super::train::recipe;
use crate::args::{Common, SweepArgs};
use crate::progress::Progress;
use crate::screen;
use crate::together::Others;

/// Trains what there is to try, or what is left of it, and prints a table.
pub fn run(args: &SweepArgs, common: &Common) -> anyhow::Result<()> {
    let others = Others::find()?;
    let done = tried(args, common, &others);
    others.done(done)
}

fn tried(args: &SweepArgs, common: &Common, others: &Others) -> anyhow::Result<()> {
    let mut progress = Progress::new(common.quiet || !others.tells());
    let data = args.data.as_deref();
    let recipe = recipe(&args.recipe, &args.set, data, args.on_error)?;
    let space = Space {
        grid: args.grid.clone(),
        random: args.random.clone(),
        runs: args.runs,
        seed: args.seed,
    };
    let opened = others.open(common.backend)?;
    let options = others.options(&opened);
    progress.line(&format!(
        "{} runs of {} on {}",
        space.settings()?.len(),
        args.recipe,
        others.place(&opened)
    ));
    let done = sweep(recipe, &space, args.out.as_deref(), &options, &mut progress)?;
    match (others.tells(), common.json) {
        (false, _) => Ok(()),
        (true, true) => screen::json(&done),
        (true, false) => {
            let root = done.root.display();
            screen::text(&format!("{}\nsweep   {root}", done.table()))
        }
    }
}
