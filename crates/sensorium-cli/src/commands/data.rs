//! `sensorium data`: data sets as files, and manifests of files.

use std::fmt::Write;

use sensorium_data::{Listing, av_digits, list};
use sensorium_recipe::Observer;

use crate::args::{Common, MakeAvDigits, ManifestArgs};
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

/// Writes a manifest out of file names.
pub fn manifest(args: &ManifestArgs, common: &Common) -> anyhow::Result<()> {
    let progress = Progress::new(common.quiet);
    let column = args.column.as_deref();
    let on_error = args.on_error.into();
    let listing = list(&args.folder, &args.pattern, column, &args.out, on_error)?;
    for line in &listing.left_out {
        progress.line(&format!("left out: {line}"));
    }
    if common.json {
        return screen::json(&listing);
    }
    screen::text(&format!("{}: {}", args.out.display(), describe(&listing)))
}

fn describe(listing: &Listing) -> String {
    let mut text = format!("{} rows", listing.rows);
    if !listing.left_out.is_empty() {
        let _ = write!(text, ", {} files left out", listing.left_out.len());
    }
    for column in &listing.columns {
        let more = if column.values > column.first.len() {
            ", …"
        } else {
            ""
        };
        let first = column.first.join(", ").replace(char::is_control, " ");
        let _ = write!(
            text,
            "\n{}: {} values ({first}{more})",
            column.name, column.values
        );
    }
    text
}
