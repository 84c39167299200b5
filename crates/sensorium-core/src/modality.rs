//! The name of a kind of input. Open on purpose: a new modality never edits this crate.

use core::fmt;

/// A kind of input, known by its name in recipes, manifests and parameter paths.
///
/// Each modality crate declares its own constant, so that adding one edits nothing here.
///
/// ```
/// use sensorium_core::Modality;
/// const THERMAL: Modality = Modality("thermal");
/// assert_eq!(THERMAL.to_string(), "thermal");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Modality(pub &'static str);

impl Modality {
    /// The name as it stands in recipes, manifests and parameter paths.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
