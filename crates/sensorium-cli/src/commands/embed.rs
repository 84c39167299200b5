//! `sensorium embed`: files and texts to vectors.

use std::sync::Arc;

use burn::tensor::Tensor;
use sensorium_core::Source;
use sensorium_models::ready::{ImageEmbedder, ImageSample, TextEmbedder, TextSample, unit_rows};

use crate::args::{Common, EmbedArgs};
use crate::inputs::{self, Input, Inputs};
use crate::jobs::{self, Answers, Done};
use crate::progress::Progress;
use crate::sink::{self, Embedding, Sink};
use crate::{models, screen};

/// Embeds all inputs and writes their vectors, texts first.
pub fn run(args: &EmbedArgs, common: &Common) -> anyhow::Result<()> {
    let (texts, images) = inputs::both(&args.text, &args.image)?;
    let checkpoint = models::open(&args.model, common)?;
    let opened = sensorium_runtime::choose(common.backend)?;
    let (device, side_by_side) = (&opened.device, opened.side_by_side());
    let mut sink = sink::open(args.out.as_deref(), common.json)?;
    // Both before any work: that a model takes no images must not show after an hour of texts.
    let text_model = match texts.is_empty() {
        true => None,
        false => Some(TextEmbedder::open(&checkpoint, device)?),
    };
    let image_model = match images.is_empty() {
        true => None,
        false => Some(ImageEmbedder::open(&checkpoint, device)?),
    };
    let mut progress = Progress::new(common.quiet);
    let mut done = Done::default();
    if let Some(model) = text_model {
        let texts = embed_all(texts, model, args, side_by_side, &mut progress, &mut *sink)?;
        done = done.and(texts);
    }
    if let Some(model) = image_model {
        let images = embed_all(images, model, args, side_by_side, &mut progress, &mut *sink)?;
        done = done.and(images);
    }
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

fn embed_all<M: Answers>(
    inputs: Inputs,
    model: M,
    args: &EmbedArgs,
    side_by_side: usize,
    progress: &mut Progress,
    sink: &mut dyn Sink,
) -> anyhow::Result<Done> {
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
    jobs::run(inputs, &args.jobs, side_by_side, progress, &vectors, put)
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
