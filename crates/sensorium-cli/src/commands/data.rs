//! `sensorium data make`: data sets as files.

use sensorium_data::av_digits;
use sensorium_recipe::Observer;

use crate::args::{Common, MakeAvDigits};
use crate::progress::Progress;
use crate::screen;

/// Builds the data set of written and spoken digits.
pub fn make_av_digits(args: &MakeAvDigits, common: &Common) -> anyhow::Result<()> {
    let mut progress = Progress::new(common.quiet);
    let mut begun = false;
    let mut show = |done, total| {
        if !begun {
            progress.phase("making av-digits", total);
            begun = true;
        }
        progress.advance(done);
    };
    let summary = match (&args.digits, &args.speech) {
        (Some(digits), Some(speech)) => av_digits::make(digits, speech, &args.out, &mut show)?,
        _ => av_digits::write_embedded(&args.out, &mut show)?,
    };
    progress.phase_end();
    if common.json {
        return screen::json(&summary);
    }
    screen::text(&format!(
        "{}: {summary}\ntrain on it with: sensorium train av-digits --data {}",
        args.out.display(),
        args.out.display()
    ))
}
