//! Many inputs through a model: read when they are needed, prepared in parallel, batched, answered in order, with bounded
//! memory.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;

use burn::tensor::Tensor;
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

    /// Leaves an input out, and says why.
    pub fn skip(&mut self, input: &Input, error: &anyhow::Error, progress: &Progress) {
        let reason = crate::one_line(error);
        progress.result(&format!("skipped: {reason}"));
        let input = input.name.clone();
        self.skipped.push(Skipped { input, reason });
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

/// What many inputs go through.
pub trait Answers: Send + Sync + 'static {
    /// A prepared input.
    type Sample: Send + Sync + 'static;
    /// Why an input cannot be prepared.
    type Error: std::error::Error + Send + Sync + 'static;

    /// How many batches of samples may be looked at together, so that those of about one length make a batch.
    const WINDOW: usize = 1;

    /// How long a sample is; a batch is padded to its longest.
    fn length(_sample: &Self::Sample) -> usize {
        0
    }

    /// Decodes and prepares an input; called from many threads.
    fn prepare(&self, input: &Source) -> Result<Self::Sample, Self::Error>;

    /// A row for each input: `[batch, n]`.
    fn answer(&self, samples: &[Self::Sample]) -> Tensor<2>;
}

/// How many samples are worked on at once by each of those that work side by side. More are hardly faster, and what they
/// need in between grows with them.
const PART: usize = 4;

/// Prepares inputs with as many threads as the machine has, hands them to `model` in batches, and its answers, a row for
/// each input, to `put` in order. An input that cannot be prepared ends the work, or is named and left out.
///
/// Where the device is used best so, `side_by_side` parts of a batch are worked on at once.
pub fn run<M: Answers>(
    mut inputs: Inputs,
    args: &JobArgs,
    side_by_side: usize,
    progress: &mut Progress,
    model: &Arc<M>,
    mut put: impl FnMut(&Input, Vec<f32>) -> anyhow::Result<()>,
) -> anyhow::Result<Done> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut window = Window::new(args.batch.saturating_mul(M::WINDOW));
    let mut done = Done::default();
    let mut answer = |inputs: &[Input], samples: Vec<M::Sample>| {
        let answer =
            |batch: &[M::Sample]| in_parts(batch, side_by_side, |part| rows(model.answer(part)));
        let rows = by_length(samples, args.batch, M::length, answer)?;
        inputs.iter().zip(rows).try_for_each(|(i, row)| put(i, row))
    };
    progress.work("working", inputs.total());
    loop {
        let chunk = inputs.chunk()?;
        if chunk.is_empty() {
            break;
        }
        let chunk: Arc<[Input]> = chunk.into();
        let preparing = model.clone();
        let prepare = move |source: &Source| preparing.prepare(source);
        let samples = prepared(&chunk, threads, args.batch, prepare);
        for (input, result) in chunk.iter().zip(samples) {
            match result {
                Ok(sample) => window.push(input.clone(), sample),
                Err(error) if args.on_error == OnErrorArg::Skip => {
                    done.skip(input, &error, progress);
                }
                Err(error) => return Err(error),
            }
            if window.is_full() {
                done.answered += window.flush(&mut answer)?;
                progress.advance(done.answered + done.skipped.len());
            }
        }
    }
    done.answered += window.flush(&mut answer)?;
    progress.phase_end();
    if !done.skipped.is_empty() {
        let (skipped, all) = (done.skipped.len(), done.answered + done.skipped.len());
        progress.result(&format!("skipped {skipped} of {all}"));
    }
    Ok(done)
}

/// Inputs that are prepared by so many threads, in order; as many as `ahead` of them wait to be taken.
pub fn prepared<S, E>(
    inputs: &Arc<[Input]>,
    threads: usize,
    ahead: usize,
    prepare: impl Fn(&Source) -> Result<S, E> + Send + Sync + 'static,
) -> impl Iterator<Item = anyhow::Result<S>>
where
    S: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let jobs: Vec<usize> = (0..inputs.len()).collect();
    let (preparing, named) = (inputs.clone(), inputs.clone());
    let samples = sensorium_data::in_order(jobs, threads, ahead, move |i: usize| {
        preparing[i].prepare(&prepare)
    });
    samples.enumerate().map(move |(i, sample)| {
        // One that panicked or hung is as bad as one that is refused, but does not say its name.
        sample.unwrap_or_else(|error| {
            let name = named[i].source().describe();
            Err(anyhow::anyhow!("{name}: {error}"))
        })
    })
}

/// What `work` makes of all samples, in order, from batches of those that are about as long.
fn by_length<S, R>(
    samples: Vec<S>,
    batch: usize,
    length: impl Fn(&S) -> usize,
    work: impl Fn(&[S]) -> anyhow::Result<Vec<R>>,
) -> anyhow::Result<Vec<R>> {
    let mut numbered: Vec<(usize, S)> = samples.into_iter().enumerate().collect();
    numbered.sort_by_key(|(_, sample)| length(sample));
    let (places, samples): (Vec<usize>, Vec<S>) = numbered.into_iter().unzip();
    let mut results = Vec::with_capacity(samples.len());
    for batch in samples.chunks(batch) {
        results.extend(work(batch)?);
    }
    let mut placed: Vec<(usize, R)> = places.into_iter().zip(results).collect();
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, result)| result).collect())
}

/// What `work` makes of all samples, in order, from parts of them, up to `ways` of which are worked on at once.
fn in_parts<S: Sync, R: Send>(
    samples: &[S],
    ways: usize,
    work: impl Fn(&[S]) -> anyhow::Result<Vec<R>> + Sync,
) -> anyhow::Result<Vec<R>> {
    let ways = ways.min(samples.len().div_ceil(PART));
    if ways < 2 {
        return work(samples);
    }
    // Parts of about one size, so that those side by side end together.
    let rounds = samples.len().div_ceil(ways * PART);
    let size = samples.len().div_ceil(ways * rounds);
    let mut results = Vec::with_capacity(samples.len());
    for round in samples.chunks(size * ways) {
        let parts = std::thread::scope(|scope| {
            let parts = round.chunks(size).map(|part| {
                let work = &work;
                scope.spawn(move || work(part))
            });
            let threads: Vec<_> = parts.collect();
            let join = |thread: ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            threads
                .into_iter()
                .map(join)
                .collect::<anyhow::Result<Vec<_>>>()
        })?;
        results.extend(parts.into_iter().flatten());
    }
    Ok(results)
}

/// Samples that wait to be answered, with their inputs.
struct Window<S> {
    size: usize,
    inputs: Vec<Input>,
    samples: Vec<S>,
}

impl<S> Window<S> {
    fn new(size: usize) -> Self {
        Self {
            size,
            inputs: Vec::new(),
            samples: Vec::new(),
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
        answer: &mut impl FnMut(&[Input], Vec<S>) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        if self.inputs.is_empty() {
            return Ok(0);
        }
        answer(&self.inputs, std::mem::take(&mut self.samples))?;
        let count = self.inputs.len();
        self.inputs.clear();
        Ok(count)
    }
}

/// Rows of a `[batch, n]` tensor on the host.
fn rows(tensor: Tensor<2>) -> anyhow::Result<Vec<Vec<f32>>> {
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
    use burn::tensor::Device;

    /// Takes texts that are numbers, and gives each back.
    struct Echo(Device);

    impl Answers for Echo {
        type Sample = f32;
        type Error = std::num::ParseFloatError;

        const WINDOW: usize = 3;

        /// Neither their order nor its reverse.
        fn length(sample: &f32) -> usize {
            (*sample as usize * 7) % 11
        }

        fn prepare(&self, input: &Source) -> Result<f32, Self::Error> {
            let Source::Text(text) = input else {
                unreachable!("all are texts")
            };
            assert!(&**text != "2", "two is bad");
            text.parse()
        }

        fn answer(&self, samples: &[f32]) -> Tensor<2> {
            Tensor::<1>::from_floats(samples, &self.0).unsqueeze_dim(1)
        }
    }

    /// What is answered to numbers, in parts side by side.
    fn answered(texts: &[String], args: &JobArgs) -> anyhow::Result<Vec<(String, Vec<f32>)>> {
        let [inputs] = crate::inputs::each([("text", texts)])?;
        let device = sensorium_runtime::open(sensorium_runtime::Backend::Flex)?;
        let model = Arc::new(Echo(device));
        let mut seen = Vec::new();
        let put = |input: &Input, row| {
            seen.push((input.name.to_string(), row));
            Ok(())
        };
        let mut progress = Progress::new(true);
        run(inputs, args, 3, &mut progress, &model, put)?;
        Ok(seen)
    }

    #[test]
    fn an_input_that_panics_is_that_input_s_error() {
        let texts = ["1", "2", "3"].map(str::to_owned);
        let with = |on_error| answered(&texts, &JobArgs { batch: 2, on_error });
        let seen = with(OnErrorArg::Skip).unwrap();
        assert_eq!(
            seen,
            [("1".to_owned(), vec![1.0]), ("3".to_owned(), vec![3.0])]
        );
        let error = with(OnErrorArg::Fail).unwrap_err().to_string();
        let expected = "text \"2\": a worker panicked while preparing it: two is bad";
        assert_eq!(error, expected);
    }

    #[test]
    fn parts_of_a_batch_are_answered_in_order() {
        let texts: Vec<String> = (3..40).map(|n| n.to_string()).collect();
        for batch in [1, 7, 8, 14, 37, 64] {
            let on_error = OnErrorArg::Fail;
            let seen = answered(&texts, &JobArgs { batch, on_error }).unwrap();
            let expected: Vec<_> = (3..40).map(|n| (n.to_string(), vec![n as f32])).collect();
            assert_eq!(seen, expected, "batch {batch}");
        }
    }

    #[test]
    fn samples_of_a_length_go_together_and_come_out_in_order() {
        let samples = vec![5, 1, 4, 1, 3, 2, 9];
        let batches = std::cell::RefCell::new(Vec::new());
        let work = |batch: &[usize]| {
            batches.borrow_mut().push(batch.to_vec());
            Ok(batch.to_vec())
        };
        let results = by_length(samples.clone(), 3, |sample| *sample, work).unwrap();
        assert_eq!(results, samples);
        assert_eq!(
            batches.into_inner(),
            [vec![1, 1, 2], vec![3, 4, 5], vec![9]]
        );
    }

    #[test]
    fn a_part_that_panics_panics() {
        let samples = vec![0; 64];
        let work = |part: &[i32]| -> anyhow::Result<Vec<i32>> {
            assert_ne!(part.len(), PART, "found");
            Ok(part.to_vec())
        };
        assert_eq!(in_parts(&samples, 1, work).unwrap(), samples);
        let told = std::panic::catch_unwind(|| in_parts(&samples, 4, work));
        assert!(told.is_err());
    }
}
