//! `metrics.jsonl`: a line for each step, validation and warning.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::checkpoint::files::{Files, write_atomically};
use crate::tensorboard::Events;
use crate::{Error, StepLog, ValidationLog, Warning};

/// The log of a run. Every line has a `kind` (`step`, `validation` or `warning`) and the `step` it belongs to.
pub(crate) struct Log {
    path: PathBuf,
    files: Arc<dyn Files>,
    /// The same for TensorBoard, if it is wanted.
    events: Option<Events>,
}

#[derive(Serialize)]
struct Line<'a, T> {
    kind: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Serialize)]
struct WarningLine {
    step: usize,
    message: String,
}

impl Log {
    pub(crate) fn new(folder: &Path, files: Arc<dyn Files>) -> Self {
        Self {
            path: folder.join("metrics.jsonl"),
            files,
            events: None,
        }
    }

    /// With the numbers once more in TensorBoard's format.
    pub(crate) fn with_events(mut self, folder: &Path) -> Self {
        self.events = Some(Events::new(folder, self.files.clone()));
        self
    }

    /// Whether there is a log already.
    pub(crate) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Begins at, or cuts the log back to, so many steps: what was logged after the checkpoint is done again.
    pub(crate) fn cut(&self, steps: usize) -> Result<(), Error> {
        let old = match self.files.read(&self.path) {
            Ok(old) => old,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("read", &self.path)(error)),
        };
        // A line that a kill cut short is no JSON, and belongs to a step that is done again.
        let stays = |line: &&[u8]| {
            let line: Option<serde_json::Value> = serde_json::from_slice(line).ok();
            let step = line.and_then(|line| line.get("step")?.as_u64());
            step.is_some_and(|step| step <= steps as u64 && steps > 0)
        };
        let mut kept = Vec::with_capacity(old.len());
        for line in old.split_inclusive(|byte| *byte == b'\n').filter(stays) {
            kept.extend_from_slice(line);
        }
        write_atomically(&*self.files, &self.path, &kept)?;
        self.events
            .as_ref()
            .map_or(Ok(()), |events| events.cut(steps))
    }

    /// Waits until all of it is on the disk, as it must be before a checkpoint says that these steps are done.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.files
            .sync(&self.path)
            .map_err(Error::io("sync", &self.path))?;
        self.events.as_ref().map_or(Ok(()), Events::sync)
    }

    pub(crate) fn step(&self, step: &StepLog) -> Result<(), Error> {
        self.append("step", step)?;
        self.events
            .as_ref()
            .map_or(Ok(()), |events| events.step(step))
    }

    pub(crate) fn validation(&self, validation: &ValidationLog) -> Result<(), Error> {
        self.append("validation", validation)?;
        let events = self.events.as_ref();
        events.map_or(Ok(()), |events| events.validation(validation))
    }

    pub(crate) fn warning(&self, step: usize, warning: &Warning) -> Result<(), Error> {
        let message = warning.to_string();
        self.append("warning", &WarningLine { step, message })
    }

    fn append<T: Serialize>(&self, kind: &'static str, body: &T) -> Result<(), Error> {
        let mut line = serde_json::to_vec(&Line { kind, body }).expect("a log line is plain data");
        line.push(b'\n');
        self.files
            .append(&self.path, &line)
            .map_err(Error::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::files::Disk;
    use std::collections::BTreeMap;

    fn step(step: usize) -> StepLog {
        StepLog {
            loss: f64::NAN,
            terms: BTreeMap::from([("a".to_owned(), 0.5)]),
            skipped: Some("the loss is NaN".to_owned()),
            ..StepLog::example(step)
        }
    }

    #[test]
    fn a_cut_leaves_each_step_once_even_after_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(folder.path(), Arc::new(Disk));
        assert!(!log.exists());
        log.cut(0).unwrap();
        for n in 1..=5 {
            log.step(&step(n)).unwrap();
        }
        log.warning(4, &Warning::NothingToResume).unwrap();
        Disk.append(&log.path, b"{\"kind\":\"step\",\"st").unwrap();
        log.cut(3).unwrap();
        log.step(&step(4)).unwrap();
        log.sync().unwrap();
        let text = std::fs::read_to_string(&log.path).unwrap();
        let lines: Vec<StepLog> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            lines.iter().map(|line| line.step).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert!(lines[0].loss.is_nan() && lines[0].accuracy == Some(0.75));
        assert!(
            text.starts_with(r#"{"kind":"step","step":1,"epoch":1,"loss":null,"#),
            "{text}"
        );
        log.cut(0).unwrap();
        assert_eq!(std::fs::read_to_string(&log.path).unwrap(), "");
    }
}
