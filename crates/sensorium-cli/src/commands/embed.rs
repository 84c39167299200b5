//! `sensorium embed`: files and texts to vectors.

use std::sync::Arc;

use burn::tensor::Tensor;
use sensorium_core::Source;
use sensorium_models::ready::{ImageEmbedder, TextEmbedder, unit_rows};

use crate::args::{Common, EmbedArgs};
use crate::inputs::{self, Inputs};
use crate::jobs::{self, Done};
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
        false => Some(Arc::new(TextEmbedder::open(&checkpoint, device)?)),
    };
    let image_model = match images.is_empty() {
        true => None,
        false => Some(Arc::new(ImageEmbedder::open(&checkpoint, device)?)),
    };
    let mut progress = Progress::new(common.quiet);
    let mut done = Done::default();
    if let Some(model) = text_model {
        let preparing = model.clone();
        let embed = |samples: &[_]| model.embed(samples);
        let prepare = move |source: &_| preparing.prepare(source);
        done = embed_all(
            texts,
            args,
            side_by_side,
            &mut progress,
            prepare,
            embed,
            sink.as_mut(),
        )?;
    }
    if let Some(model) = image_model {
        let preparing = model.clone();
        let embed = |samples: &[_]| model.embed(samples);
        let prepare = move |source: &_| preparing.prepare(source);
        let images = embed_all(
            images,
            args,
            side_by_side,
            &mut progress,
            prepare,
            embed,
            sink.as_mut(),
        )?;
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

fn embed_all<S: Send + Sync + 'static>(
    inputs: Inputs,
    args: &EmbedArgs,
    side_by_side: usize,
    progress: &mut Progress,
    prepare: impl Fn(&Source) -> Result<S, sensorium_models::Error> + Send + Sync + 'static,
    embed: impl Fn(&[S]) -> Tensor<2> + Sync,
    sink: &mut dyn Sink,
) -> anyhow::Result<Done> {
    let embed = |samples: &[S]| match args.raw {
        true => embed(samples),
        false => unit_rows(embed(samples)),
    };
    let put = |input: &inputs::Input, vector| {
        sink.put(Embedding {
            modality: input.modality,
            input: &input.name,
            vector,
        })
    };
    jobs::run(
        inputs,
        &args.jobs,
        side_by_side,
        progress,
        prepare,
        embed,
        put,
    )
}
