//! The log's numbers once more, as TensorBoard reads them: an event file in the run folder.

mod event;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::checkpoint::files::{Files, write_atomically};
use crate::{Error, StepLog, ValidationLog};

/// TensorBoard knows its files by the middle of their names.
const NAME: &str = "events.out.tfevents.sensorium";

/// The event file of a run.
pub(crate) struct Events {
    path: PathBuf,
    files: Arc<dyn Files>,
}

impl Events {
    pub(crate) fn new(folder: &Path, files: Arc<dyn Files>) -> Self {
        Self {
            path: folder.join(NAME),
            files,
        }
    }

    /// Begins at, or cuts the file back to, so many steps: what came after the checkpoint is done again. What is no event,
    /// as a kill may leave, goes with all that follows.
    pub(crate) fn cut(&self, steps: usize) -> Result<(), Error> {
        let old = match self.files.read(&self.path) {
            Ok(old) => old,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("read", &self.path)(error)),
        };
        let mut kept = record::framed(&event::version(now()));
        let whole = record::records(&old).map_while(|(whole, content)| {
            let step = event::step(content)?;
            Some((whole, step))
        });
        // The first of them says the version, at step 0.
        for (record, step) in whole {
            if (1..=steps as u64).contains(&step) {
                kept.extend_from_slice(record);
            }
        }
        write_atomically(&*self.files, &self.path, &kept)
    }

    /// Waits until all of it is on the disk.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.files
            .sync(&self.path)
            .map_err(Error::io("sync", &self.path))
    }

    pub(crate) fn step(&self, step: &StepLog) -> Result<(), Error> {
        let mut scalars = vec![
            ("train/loss".to_owned(), step.loss),
            ("train/lr".to_owned(), step.lr),
            ("train/grad_norm".to_owned(), step.grad_norm),
            ("train/samples_per_s".to_owned(), step.samples_per_s),
        ];
        let accuracy = step
            .accuracy
            .map(|accuracy| ("train/accuracy".to_owned(), accuracy));
        scalars.extend(accuracy);
        let terms = step.terms.iter();
        scalars.extend(terms.map(|(name, value)| (format!("train/terms/{name}"), *value)));
        self.append(step.step, &scalars)
    }

    pub(crate) fn validation(&self, validation: &ValidationLog) -> Result<(), Error> {
        let scores = validation.scores.0.iter();
        let scalars: Vec<(String, f64)> = scores
            .map(|score| (format!("validation/{}", score.name), score.value))
            .collect();
        self.append(validation.step, &scalars)
    }

    fn append(&self, step: usize, scalars: &[(String, f64)]) -> Result<(), Error> {
        let event = event::scalars(now(), step as u64, scalars);
        self.files
            .append(&self.path, &record::framed(&event))
            .map_err(Error::io("write", &self.path))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// The steps that a run's event file has this tag of.
#[cfg(test)]
pub(crate) fn steps_of(folder: &Path, tag: &str) -> Vec<u64> {
    let all = tests::read(&folder.join(NAME)).into_iter();
    all.filter_map(|(step, name, _)| (name == tag).then_some(step))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scores;
    use crate::checkpoint::files::Disk;
    use std::collections::BTreeMap;

    fn step(step: usize) -> StepLog {
        StepLog {
            terms: BTreeMap::from([("size".to_owned(), 0.5)]),
            grad_norm: f64::NAN,
            ..StepLog::example(step)
        }
    }

    /// Step, tag and value of everything in the file.
    pub(super) fn read(path: &Path) -> Vec<(u64, String, f32)> {
        let bytes = Disk.read(path).unwrap();
        let records: Vec<&[u8]> = record::records(&bytes)
            .map(|(_, content)| content)
            .collect();
        assert_eq!(event::read_version(records[0]).unwrap(), "brain.Event:2");
        records[1..]
            .iter()
            .flat_map(|record| {
                let step = event::step(record).unwrap();
                let scalars = event::read_scalars(record).unwrap().into_iter();
                scalars.map(move |(tag, value)| (step, tag, value))
            })
            .collect()
    }

    #[test]
    fn what_is_written_is_read_and_a_cut_leaves_each_step_once() {
        let folder = tempfile::tempdir().unwrap();
        let events = Events::new(folder.path(), Arc::new(Disk));
        events.cut(0).unwrap();
        for n in 1..=5 {
            events.step(&step(n)).unwrap();
        }
        let validation = ValidationLog {
            step: 3,
            epoch: 1,
            scores: Scores::default().higher("accuracy", 0.5).lower("loss", 2.0),
            is_best: true,
            best: None,
            seconds: 0.1,
        };
        events.validation(&validation).unwrap();
        let all = read(&events.path);
        assert_eq!(all.len(), 5 * 6 + 2);
        let of = |step: u64, tag: &str| {
            let found = all
                .iter()
                .find(|(at, name, _)| (*at, name.as_str()) == (step, tag));
            found.unwrap_or_else(|| panic!("{tag} of step {step}")).2
        };
        assert_eq!(of(2, "train/loss"), 0.5);
        assert_eq!(of(5, "train/terms/size"), 0.5);
        assert!(of(1, "train/grad_norm").is_nan());
        assert_eq!(of(3, "validation/loss"), 2.0);

        // Half a record, as a kill leaves, and a cut: steps are there once.
        Disk.append(&events.path, &[7, 0, 0]).unwrap();
        events.cut(3).unwrap();
        events.step(&step(4)).unwrap();
        events.sync().unwrap();
        assert_eq!(steps_of(folder.path(), "train/loss"), [1, 2, 3, 4]);
        events.cut(0).unwrap();
        assert!(read(&events.path).is_empty());
    }

    #[test]
    fn no_damage_makes_it_fail() {
        let folder = tempfile::tempdir().unwrap();
        let events = Events::new(folder.path(), Arc::new(Disk));
        events.cut(0).unwrap();
        for n in 1..=3 {
            events.step(&step(n)).unwrap();
        }
        let whole = Disk.read(&events.path).unwrap();
        for at in 0..whole.len() {
            for damaged in [whole[..at].to_vec(), {
                let mut flipped = whole.clone();
                flipped[at] ^= 0x81;
                flipped
            }] {
                std::fs::write(&events.path, &damaged).unwrap();
                events.cut(3).unwrap();
                let steps: Vec<u64> = read(&events.path).iter().map(|(step, ..)| *step).collect();
                assert!(steps.is_sorted() && steps.len() <= 3 * 6, "{at}");
            }
        }
    }
}
