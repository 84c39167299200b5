//! Rows that are decoded when they are needed: what is kept of them then, and by what they are known before.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use sensorium_core::{Modality, Source, seed};

use crate::how::Room;
use crate::modalities::Samples;

/// Samples that were decoded and found room.
#[derive(Debug)]
pub(crate) struct Later {
    kept: Vec<OnceLock<Box<Samples>>>,
    room: Mutex<Room>,
}

impl Later {
    /// Of so many rows; they may take three quarters of the room, for which of the parts will be asked most is not known yet.
    /// Gives what is left for others.
    pub(crate) fn new(rows: usize, room: Room) -> (Self, Room) {
        let left = Room {
            rows: room.rows / 4,
            bytes: room.bytes / 4,
        };
        let own = Room {
            rows: room.rows - left.rows,
            bytes: room.bytes - left.bytes,
        };
        // Where nothing is kept, there need be no place for it.
        let places = if own.rows == 0 { 0 } else { rows };
        let later = Self {
            kept: (0..places).map(|_| OnceLock::new()).collect(),
            room: Mutex::new(own),
        };
        (later, left)
    }

    pub(crate) fn get(&self, row: usize) -> Option<Samples> {
        let kept = self.kept.get(row)?.get()?;
        Some(Samples::clone(kept))
    }

    pub(crate) fn keep(&self, row: usize, samples: &Samples) {
        let Some(place) = self.kept.get(row) else {
            return;
        };
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been as fast.
        if place.get().is_none()
            && let Some(samples) = room.keep(samples.clone())
        {
            let _ = place.set(Box::new(samples));
        }
    }
}

/// A number for the names and sizes of a row's inputs, and for what its texts say: what can be known without reading any.
pub(crate) fn place_of(inputs: &BTreeMap<Modality, Source>) -> u64 {
    inputs.iter().fold(0, |number, (modality, source)| {
        let name = match source {
            Source::Text(text) => seed::of_name(text),
            // The same files may lie in another folder.
            other => {
                let name = other.describe();
                seed::of_name(name.rsplit(['/', '\\']).next().unwrap_or(&name))
            }
        };
        let size = source.size().unwrap_or_default();
        seed::derive(number, &[seed::of_name(modality.name()), name, size])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_text::{TEXT, TextSample};

    #[test]
    fn what_is_kept_is_bounded_and_kept_once() {
        let sample = Samples {
            text: Some(TextSample { ids: vec![0; 50] }),
            ..Samples::default()
        };
        let (later, left) = Later::new(
            5,
            Room {
                rows: 4,
                bytes: usize::MAX,
            },
        );
        assert_eq!(left.rows, 1);
        for row in [0, 0, 2, 4, 1] {
            later.keep(row, &sample);
        }
        let kept: Vec<bool> = (0..6).map(|row| later.get(row).is_some()).collect();
        assert_eq!(kept, [true, false, true, false, true, false]);
    }

    #[test]
    fn a_file_is_known_by_its_name_and_size_wherever_it_lies() {
        let of = |source: Source| place_of(&BTreeMap::from([(TEXT, source)]));
        let dir = tempfile::tempdir().unwrap();
        let file = |folder: &str, name: &str, content: &str| {
            let path = dir.path().join(folder).join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            of(Source::path(path))
        };
        let one = file("a", "x.txt", "one");
        assert_eq!(one, file("b", "x.txt", "two"));
        assert_ne!(one, file("b", "x.txt", "three"));
        assert_ne!(one, file("b", "y.txt", "two"));
        assert_ne!(of(Source::text("one")), of(Source::text("two")));
    }
}
