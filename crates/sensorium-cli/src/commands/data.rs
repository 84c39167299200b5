//! `sensorium data`: data sets as files, and manifests of files.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context as _;
use sensorium_data::av_digits::{ATTRIBUTION, Summary};
use sensorium_data::{Listing, av_digits, built_in, list, write_table};
use sensorium_recipe::Observer;

use crate::args::Common;
use crate::args::data::{MakeAvDigits, ManifestArgs};
use crate::progress::Progress;
use crate::screen;

/// Builds the data set of written and spoken digits.
pub fn make_av_digits(args: &MakeAvDigits, common: &Common) -> anyhow::Result<()> {
    let (Some(digits), Some(speech)) = (&args.digits, &args.speech) else {
        return make_drawn("av-digits", &args.out, common);
    };
    let mut progress = Progress::new(common.quiet);
    let mut show = shown(&mut progress, "making av-digits");
    let summary = av_digits::make(digits, speech, &args.out, &mut show)?;
    drop(show);
    progress.phase_end();
    told("av-digits", &args.out, &summary, common)
}

/// Writes a data set that comes with the program.
pub fn make_drawn(name: &str, out: &Path, common: &Common) -> anyhow::Result<()> {
    let make =
        built_in(name).with_context(|| format!("no data set {name} comes with the program"))?;
    let mut progress = Progress::new(common.quiet);
    let table = make()?;
    let mut show = shown(&mut progress, "writing files");
    write_table(&table, ATTRIBUTION, out, &mut show)?;
    drop(show);
    progress.phase_end();
    told(name, out, &Summary::of(&table), common)
}

/// Shows how far a phase is, which begins with the first that is told.
pub fn shown<'a>(progress: &'a mut Progress, phase: &'a str) -> impl FnMut(usize, usize) + 'a {
    let mut begun = false;
    move |done, total| {
        if !begun {
            progress.phase(phase, total);
            begun = true;
        }
        progress.advance(done);
    }
}

fn told(name: &str, out: &Path, summary: &Summary, common: &Common) -> anyhow::Result<()> {
    if common.json {
        return screen::json(summary);
    }
    let out = out.display();
    // What has no classes is for objectives of its own.
    let next = match name {
        "av-digits" => format!("\ntrain on it with: sensorium train av-digits --data {out}"),
        _ => String::new(),
    };
    screen::text(&format!("{out}: {summary}{next}"))
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
