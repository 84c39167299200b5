//! `sensorium embed`: files and texts to vectors.

use std::sync::Arc;

use burn::tensor::Tensor;
use sensorium_models::ready::{ImageEmbedder, TextEmbedder, unit_rows};

use crate::args::{Common, EmbedArgs};
use crate::jobs::{self, Input};
use crate::models;
use crate::progress::Progress;
use crate::sink::{self, Embedding, Sink};

/// Embeds all inputs and writes their vectors, texts first.
pub fn run(args: &EmbedArgs, common: &Common) -> anyhow::Result<()> {
    let texts = jobs::inputs("text", &args.text)?;
    let images = jobs::inputs("image", &args.image)?;
    jobs::need_some(&[&texts[..], &images].concat(), "--text or --image")?;
    let checkpoint = models::open(&args.model, common)?;
    let device = sensorium_runtime::open(common.backend)?;
    let mut progress = Progress::new(common.quiet);
    let mut sink = sink::open(args.out.as_deref(), common.json)?;
    if !texts.is_empty() {
        let model = Arc::new(TextEmbedder::open(&checkpoint, &device)?);
        let preparing = model.clone();
        let embed = |samples: &[_]| model.embed(samples);
        let prepare = move |source: &_| preparing.prepare(source);
        embed_all(texts, args, &mut progress, prepare, embed, sink.as_mut())?;
    }
    if !images.is_empty() {
        let model = Arc::new(ImageEmbedder::open(&checkpoint, &device)?);
        let preparing = model.clone();
        let embed = |samples: &[_]| model.embed(samples);
        let prepare = move |source: &_| preparing.prepare(source);
        embed_all(images, args, &mut progress, prepare, embed, sink.as_mut())?;
    }
    sink.finish()
}

fn embed_all<S: Send + 'static>(
    inputs: Vec<Input>,
    args: &EmbedArgs,
    progress: &mut Progress,
    prepare: impl Fn(&sensorium_core::Source) -> Result<S, sensorium_models::Error>
    + Send
    + Sync
    + 'static,
    embed: impl Fn(&[S]) -> Tensor<2>,
    sink: &mut dyn Sink,
) -> anyhow::Result<()> {
    jobs::run(inputs, &args.jobs, progress, prepare, |inputs, samples| {
        let vectors = embed(samples);
        let vectors = if args.raw {
            vectors
        } else {
            unit_rows(vectors)
        };
        for (input, vector) in inputs.iter().zip(jobs::rows(vectors)?) {
            sink.put(Embedding {
                modality: input.modality,
                input: &input.name,
                vector,
            })?;
        }
        Ok(())
    })?;
    Ok(())
}
