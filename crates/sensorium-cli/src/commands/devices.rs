//! `sensorium devices`: backends compiled in, devices found, and what to run for the others.

use std::fmt::Write;

use sensorium_runtime::{Backend, Found, Missing};
use serde::Serialize;

use crate::args::Common;
use crate::screen;

#[derive(Serialize)]
struct Listing {
    compiled: Vec<Backend>,
    devices: Vec<Found>,
    missing: Vec<Missing>,
    auto: Option<Backend>,
}

/// Lists what can run here.
pub fn run(common: &Common) -> anyhow::Result<()> {
    let devices = sensorium_runtime::devices();
    let listing = Listing {
        compiled: sensorium_runtime::compiled(),
        missing: sensorium_runtime::missing(&devices),
        auto: sensorium_runtime::choose(Backend::Auto)
            .ok()
            .map(|opened| opened.found.backend),
        devices,
    };
    if common.json {
        return screen::json(&listing);
    }
    screen::text(&describe(&listing))
}

fn describe(listing: &Listing) -> String {
    let mut text = String::from("Found\n");
    for found in &listing.devices {
        let memory = found.memory.map(screen::bytes).unwrap_or_default();
        let auto = if Some(found.backend) == listing.auto {
            "  <- auto"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  {:<9} {:<15} {:>9}  {}{auto}",
            found.backend, found.kind, memory, found.name
        );
    }
    if !listing.missing.is_empty() {
        text.push_str("\nNot here\n");
        for missing in &listing.missing {
            let why = if missing.compiled {
                "compiled in, but finds no device"
            } else {
                "not compiled in"
            };
            let _ = writeln!(text, "  {:<9} {why}: {}", missing.backend, missing.add);
        }
    }
    text
}
