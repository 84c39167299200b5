//! `sensorium embed`: files and texts to vectors.

use std::sync::Arc;

use burn::tensor::Tensor;
use sensorium_core::Source;
use sensorium_models::ready::{
    ImageEmbedder, ImageSample, SoundEmbedder, SoundSample, TextEmbedder, TextSample, unit_rows,
};

use crate::args::{Common, EmbedArgs};
use crate::inputs::{self, Input, Inputs};
use crate::jobs::{self, Answers, Done};
use crate::progress::Progress;
use crate::sink::{self, Embedding, Sink};
use crate::trained::{self, Trained};
use crate::{models, screen};

/// Embeds all inputs and writes their vectors: texts, images, sounds.
pub fn run(args: &EmbedArgs, common: &Common) -> anyhow::Result<()> {
    let [texts, images, sounds] = inputs::each([
        ("text", &args.text),
        ("image", &args.image),
        ("audio", &args.audio),
    ])?;
    let opened = sensorium_runtime::choose(common.backend)?;
    let mut job = Job {
        args,
        side_by_side: opened.side_by_side(),
        progress: Progress::new(common.quiet),
        sink: sink::open(args.out.as_deref(), common.json)?,
        done: Done::default(),
    };
    let device = &opened.device;
    // All are opened before any work: that a model takes no images must not show after an hour of texts.
    match trained::run(&args.model, device) {
        Some(run) => {
            let run = run?;
            let models = [&texts, &images, &sounds].map(|inputs| Trained::of(&run, inputs, None));
            let models = models.into_iter().collect::<Result<Vec<_>, _>>()?;
            for (inputs, model) in [texts, images, sounds].into_iter().zip(models) {
                job.embed(inputs, model)?;
            }
        }
        None => {
            let checkpoint = models::open(&args.model, common)?;
            let text_model = texts.any(|| TextEmbedder::open(&checkpoint, device))?;
            let image_model = images.any(|| ImageEmbedder::open(&checkpoint, device))?;
            let sound_model = sounds.any(|| SoundEmbedder::open(&checkpoint, device))?;
            job.embed(texts, text_model)?;
            job.embed(images, image_model)?;
            job.embed(sounds, sound_model)?;
        }
    }
    let Job { sink, done, .. } = job;
    done.need_some()?;
    sink.finish(&done)?;
    match &args.out {
        Some(out) if common.json => screen::json(&serde_json::json!({
            "out": out,
            "rows": done.answered,
            "skipped": done.skipped,
        })),
        _ => Ok(()),
    }
}

/// Inputs of all kinds, into one place.
struct Job<'a> {
    args: &'a EmbedArgs,
    side_by_side: usize,
    progress: Progress,
    sink: Box<dyn Sink>,
    done: Done,
}

impl Job<'_> {
    /// Embeds inputs of one kind, if there are any.
    fn embed<M: Answers>(&mut self, inputs: Inputs, model: Option<M>) -> anyhow::Result<()> {
        let Some(model) = model else { return Ok(()) };
        let Self {
            args,
            side_by_side,
            progress,
            sink,
            done,
        } = self;
        let vectors = Arc::new(Vectors {
            model,
            raw: args.raw,
        });
        let put = |input: &Input, vector| {
            sink.put(Embedding {
                modality: input.modality,
                input: &input.name,
                vector,
            })
        };
        let more = jobs::run(inputs, &args.jobs, *side_by_side, progress, &vectors, put)?;
        *done = std::mem::take(done).and(more);
        Ok(())
    }
}

/// A model's vectors, of length 1 unless they are raw.
struct Vectors<M> {
    model: M,
    raw: bool,
}

impl<M: Answers> Answers for Vectors<M> {
    type Sample = M::Sample;
    type Error = M::Error;

    const WINDOW: usize = M::WINDOW;

    fn length(sample: &M::Sample) -> usize {
        M::length(sample)
    }

    fn prepare(&self, input: &Source) -> Result<M::Sample, M::Error> {
        self.model.prepare(input)
    }

    fn answer(&self, samples: &[M::Sample]) -> Tensor<2> {
        let vectors = self.model.answer(samples);
        match self.raw {
            true => vectors,
            false => unit_rows(vectors),
        }
    }
}

impl Answers for TextEmbedder {
    type Sample = TextSample;
    type Error = sensorium_models::Error;

    const WINDOW: usize = 16;

    fn length(sample: &TextSample) -> usize {
        sample.ids.len()
    }

    fn prepare(&self, input: &Source) -> Result<TextSample, Self::Error> {
        self.prepare(input)
    }

    fn answer(&self, samples: &[TextSample]) -> Tensor<2> {
        self.embed(samples)
    }
}

impl Answers for ImageEmbedder {
    type Sample = ImageSample;
    type Error = sensorium_models::Error;

    fn prepare(&self, input: &Source) -> Result<ImageSample, Self::Error> {
        self.prepare(input)
    }

    fn answer(&self, samples: &[ImageSample]) -> Tensor<2> {
        self.embed(samples)
    }
}

impl Answers for SoundEmbedder {
    type Sample = SoundSample;
    type Error = sensorium_models::Error;

    fn prepare(&self, input: &Source) -> Result<SoundSample, Self::Error> {
        self.prepare(input)
    }

    fn answer(&self, samples: &[SoundSample]) -> Tensor<2> {
        self.embed(samples)
    }
}
