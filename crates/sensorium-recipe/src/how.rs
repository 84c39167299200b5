//! How rows are prepared, and what is wanted of them.

use sensorium_data::{OnError, Row};
use serde::{Deserialize, Serialize};

use crate::labels::{Label, LabelSet};
use crate::modalities::Samples;

/// How rows are prepared.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// What a bad row leads to.
    pub on_error: OnError,
    /// When rows are decoded.
    pub when: When,
    /// Threads that decode.
    pub threads: usize,
    /// What may be kept in memory.
    pub room: Room,
}

/// When rows are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// All of them before anything is learned, so that a bad one shows at once.
    #[default]
    First,
    /// Each when it is needed, so that a large data set can start at once.
    Lazily,
}

impl When {
    pub(crate) fn is_first(&self) -> bool {
        *self == Self::First
    }
}

/// Memory that prepared rows may take, shared by the parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many rows.
    pub rows: usize,
    /// How many bytes.
    pub bytes: usize,
}

impl Room {
    /// Without a limit.
    pub const ENDLESS: Self = Self {
        rows: usize::MAX,
        bytes: usize::MAX,
    };

    /// The samples, if there is room for them, which they then take.
    pub(crate) fn keep(&mut self, samples: Samples) -> Option<Samples> {
        let rows = self.rows.checked_sub(1)?;
        let bytes = self.bytes.checked_sub(samples.host_bytes())?;
        *self = Self { rows, bytes };
        Some(samples)
    }
}

/// Which label a row has.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// One of these; a row without a label is bad.
    Label(&'a LabelSet),
    /// One of these, or none; a label that is none of them is bad.
    MaybeLabel(&'a LabelSet),
    /// None, whatever the row says.
    Nothing,
}

impl Wanted<'_> {
    pub(crate) fn of(self, row: &Row) -> Result<Option<Label>, sensorium_data::Error> {
        match self {
            Self::Label(labels) => labels.of(row).map(Some),
            Self::MaybeLabel(labels) if row.label.is_some() => labels.of(row).map(Some),
            Self::MaybeLabel(_) | Self::Nothing => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_text::TextSample;

    fn sample(ids: usize) -> Samples {
        Samples {
            text: Some(TextSample { ids: vec![0; ids] }),
            ..Samples::default()
        }
    }

    #[test]
    fn memory_is_bounded_by_rows_and_by_bytes() {
        let size = sample(100).host_bytes();
        assert_eq!(size, sample(0).host_bytes() + 400);
        let mut room = Room {
            rows: 3,
            bytes: 2 * size + 10,
        };
        let kept: Vec<bool> = (0..4).map(|_| room.keep(sample(100)).is_some()).collect();
        assert_eq!(kept, [true, true, false, false]);
        assert_eq!(room, Room { rows: 1, bytes: 10 });
        let mut room = Room {
            rows: 1,
            bytes: usize::MAX,
        };
        assert!(room.keep(sample(100)).is_some() && room.keep(sample(0)).is_none());
    }
}
