//! Many inputs through a model: prepared in parallel, batched, answered in order, with bounded memory.

use std::io::BufRead;
use std::sync::Arc;

use anyhow::Context;
use sensorium_core::Source;
use sensorium_recipe::Observer;

use crate::Misuse;
use crate::args::{JobArgs, OnErrorArg};
use crate::progress::Progress;

/// What a model is asked about.
#[derive(Clone, Debug)]
pub struct Input {
    /// `text` or `image`.
    pub modality: &'static str,
    /// The text, or the file's path.
    pub name: String,
}

impl Input {
    fn source(&self) -> Source {
        match self.modality {
            "text" => Source::text(self.name.as_str()),
            _ => Source::path(&self.name),
        }
    }
}

/// The inputs of one kind, in order; `-` stands for the lines of standard input.
pub fn inputs(modality: &'static str, given: &[String]) -> anyhow::Result<Vec<Input>> {
    let mut names = Vec::with_capacity(given.len());
    for name in given {
        if name != "-" {
            names.push(name.clone());
            continue;
        }
        for line in std::io::stdin().lock().lines() {
            let line = line.context("standard input cannot be read as text")?;
            if !line.trim().is_empty() {
                names.push(line.trim_end_matches('\r').to_owned());
            }
        }
    }
    let names = names.into_iter();
    Ok(names.map(|name| Input { modality, name }).collect())
}

/// How many inputs were answered and left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub answered: usize,
    pub skipped: usize,
}

/// Prepares inputs with as many threads as the machine has, and hands them to `answer` in batches, in order. An input
/// that cannot be prepared ends the work, or is named and left out.
pub fn run<S: Send + 'static, E: std::error::Error + Send + Sync + 'static>(
    inputs: Vec<Input>,
    args: &JobArgs,
    progress: &mut Progress,
    prepare: impl Fn(&Source) -> Result<S, E> + Send + Sync + 'static,
    mut answer: impl FnMut(&[Input], &[S]) -> anyhow::Result<()>,
) -> anyhow::Result<Done> {
    let total = inputs.len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let inputs: Arc<[Input]> = inputs.into();
    let jobs: Vec<usize> = (0..total).collect();
    let sources = inputs.clone();
    let prepared = sensorium_data::in_order(jobs, threads, 2 * args.batch, move |i: usize| {
        prepare(&sources[i].source())
    });
    let mut batch = Batch::new(args.batch);
    let mut done = Done::default();
    progress.phase("working", total);
    for (i, result) in prepared.enumerate() {
        // One that panicked or hung is as bad as one that is refused, but does not say its name.
        let result = match result {
            Ok(result) => result.map_err(anyhow::Error::from),
            Err(error) => Err(anyhow::anyhow!(
                "{}: {error}",
                inputs[i].source().describe()
            )),
        };
        match result {
            Ok(sample) => batch.push(inputs[i].clone(), sample),
            Err(error) if args.on_error == OnErrorArg::Skip => {
                progress.line(&format!("skipped: {error}"));
                done.skipped += 1;
            }
            Err(error) => {
                progress.phase_end();
                return Err(error);
            }
        }
        if batch.is_full() || i + 1 == total {
            done.answered += batch.flush(&mut answer)?;
            progress.advance(i + 1);
        }
    }
    progress.phase_end();
    if done.skipped > 0 {
        progress.line(&format!("skipped {} of {total}", done.skipped));
    }
    Ok(done)
}

struct Batch<S> {
    size: usize,
    inputs: Vec<Input>,
    samples: Vec<S>,
}

impl<S> Batch<S> {
    fn new(size: usize) -> Self {
        Self {
            size,
            inputs: Vec::with_capacity(size),
            samples: Vec::with_capacity(size),
        }
    }

    fn push(&mut self, input: Input, sample: S) {
        self.inputs.push(input);
        self.samples.push(sample);
    }

    fn is_full(&self) -> bool {
        self.inputs.len() == self.size
    }

    fn flush(
        &mut self,
        answer: &mut impl FnMut(&[Input], &[S]) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        if self.inputs.is_empty() {
            return Ok(0);
        }
        answer(&self.inputs, &self.samples)?;
        let count = self.inputs.len();
        self.inputs.clear();
        self.samples.clear();
        Ok(count)
    }
}

/// Rows of a `[batch, n]` tensor on the host.
pub fn rows(tensor: burn::tensor::Tensor<2>) -> anyhow::Result<Vec<Vec<f32>>> {
    let [_, n] = tensor.dims();
    let numbers: Vec<f32> = tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec::<f32>()
        .map_err(|error| anyhow::anyhow!("the device gave no numbers: {error:?}"))?;
    Ok(numbers.chunks_exact(n).map(<[f32]>::to_vec).collect())
}

/// An error of use unless something is asked about.
pub fn need_some(inputs: &[Input], options: &str) -> anyhow::Result<()> {
    match inputs.is_empty() {
        true => Err(Misuse(format!("nothing to work on: give {options}")).into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(on_error: OnErrorArg) -> anyhow::Result<Vec<String>> {
        let inputs = inputs("text", &["one", "two", "three"].map(str::to_owned))?;
        let args = JobArgs { batch: 2, on_error };
        let prepare = |source: &Source| -> Result<String, std::fmt::Error> {
            let name = source.describe();
            assert!(!name.contains("two"), "two is bad");
            Ok(name)
        };
        let mut seen = Vec::new();
        run(inputs, &args, &mut Progress::new(true), prepare, |_, s| {
            seen.extend_from_slice(s);
            Ok(())
        })?;
        Ok(seen)
    }

    #[test]
    fn an_input_that_panics_is_that_input_s_error() {
        let seen = answered(OnErrorArg::Skip).unwrap();
        assert_eq!(seen, ["text \"one\"", "text \"three\""]);
        let error = answered(OnErrorArg::Fail).unwrap_err().to_string();
        let expected = "text \"two\": a worker panicked while preparing it: two is bad";
        assert_eq!(error, expected);
    }
}
