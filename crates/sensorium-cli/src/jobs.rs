//! Many inputs through a model: read when they are needed, prepared in parallel, batched, answered in order, with bounded
//! memory.

use std::sync::Arc;

use sensorium_core::Source;
use sensorium_recipe::Observer;
use serde::Serialize;

use crate::args::{JobArgs, OnErrorArg};
use crate::inputs::{Input, Inputs};
use crate::progress::Progress;

/// An input that was left out.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// The text, or the file's path.
    pub input: String,
    /// Why, in one line.
    pub reason: String,
}

/// What became of the inputs.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// How many were answered.
    pub answered: usize,
    /// All others.
    pub skipped: Vec<Skipped>,
}

impl Done {
    /// With those of another kind.
    pub fn and(mut self, other: Self) -> Self {
        self.answered += other.answered;
        self.skipped.extend(other.skipped);
        self
    }

    /// An error if not one was answered: an empty result would pass for success.
    pub fn need_some(&self) -> anyhow::Result<()> {
        match (self.answered, self.skipped.len()) {
            (0, 0) => anyhow::bail!("standard input is empty: there is nothing to work on"),
            (0, 1) => anyhow::bail!("the only input cannot be used"),
            (0, all) => anyhow::bail!("none of the {all} inputs can be used"),
            _ => Ok(()),
        }
    }
}

/// Prepares inputs with as many threads as the machine has, and hands them to `answer` in batches, in order. An input
/// that cannot be prepared ends the work, or is named and left out.
pub fn run<S: Send + 'static, E: std::error::Error + Send + Sync + 'static>(
    mut inputs: Inputs,
    args: &JobArgs,
    progress: &mut Progress,
    prepare: impl Fn(&Source) -> Result<S, E> + Send + Sync + 'static,
    mut answer: impl FnMut(&[Input], &[S]) -> anyhow::Result<()>,
) -> anyhow::Result<Done> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let prepare = Arc::new(prepare);
    let mut batch = Batch::new(args.batch);
    let mut done = Done::default();
    progress.work("working", inputs.total());
    loop {
        let chunk = inputs.chunk()?;
        if chunk.is_empty() {
            break;
        }
        let chunk: Arc<[Input]> = chunk.into();
        let (sources, prepare) = (chunk.clone(), prepare.clone());
        let jobs: Vec<usize> = (0..chunk.len()).collect();
        let prepared = sensorium_data::in_order(jobs, threads, 2 * args.batch, move |i: usize| {
            sources[i].prepare(&*prepare)
        });
        for (input, result) in chunk.iter().zip(prepared) {
            // One that panicked or hung is as bad as one that is refused, but does not say its name.
            let result = result.unwrap_or_else(|error| {
                Err(anyhow::anyhow!("{}: {error}", input.source().describe()))
            });
            match result {
                Ok(sample) => batch.push(input.clone(), sample),
                Err(error) if args.on_error == OnErrorArg::Skip => {
                    let reason = crate::one_line(&error);
                    progress.result(&format!("skipped: {reason}"));
                    let input = input.name.clone();
                    done.skipped.push(Skipped { input, reason });
                }
                Err(error) => return Err(error),
            }
            if batch.is_full() {
                done.answered += batch.flush(&mut answer)?;
                progress.advance(done.answered + done.skipped.len());
            }
        }
    }
    done.answered += batch.flush(&mut answer)?;
    progress.phase_end();
    if !done.skipped.is_empty() {
        let (skipped, all) = (done.skipped.len(), done.answered + done.skipped.len());
        progress.result(&format!("skipped {skipped} of {all}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(on_error: OnErrorArg) -> anyhow::Result<Vec<String>> {
        let texts = ["one", "two", "three"].map(str::to_owned);
        let (inputs, _) = crate::inputs::both(&texts, &[])?;
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
