//! Models asked about batches, whatever they answer with.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use sensorium_core::{Model, NoTap, Tokens, one_of};
use sensorium_text::TargetBatch;

use super::TextModel;
use super::write::write;
use crate::Error;
use crate::feed::HostBatch;
use crate::labels::{Answer, LabelSet, Texts, WrittenAnswer};
use crate::modalities::Batch;
use crate::model::RecipeModel;
use crate::prepare::Prepared;

/// What can be asked about rows.
pub trait Ask {
    /// Its answers for a batch of `rows`, on the device where it lives.
    ///
    /// # Errors
    /// If what it says cannot be put into words.
    fn ask(
        &self,
        labels: &LabelSet,
        rows: &Prepared,
        batch: &HostBatch,
        device: &Device,
    ) -> Result<Vec<Answer>, Error>;
}

impl Ask for RecipeModel {
    fn ask(
        &self,
        labels: &LabelSet,
        rows: &Prepared,
        batch: &HostBatch,
        device: &Device,
    ) -> Result<Vec<Answer>, Error> {
        let outputs = self.run(rows.processors.collate(&batch.samples, device));
        Ok(labels.answers(outputs, &batch.rows))
    }
}

impl Ask for TextModel {
    fn ask(
        &self,
        labels: &LabelSet,
        rows: &Prepared,
        batch: &HostBatch,
        device: &Device,
    ) -> Result<Vec<Answer>, Error> {
        let LabelSet::Texts(texts) = labels else {
            unreachable!("a model that writes is asked for texts");
        };
        let samples = rows.processors.collate(&batch.samples, device);
        let context = self.context_with(samples, &mut NoTap);
        let wanted = batch.rows.iter().map(|row| texts.ids(rows, *row));
        let wanted = wanted.collect::<Result<Vec<_>, Error>>()?;
        let surprises = self.surprises(&context, texts.processor().collate(&wanted, device));
        let written = self.written(&context, texts)?;
        let each = batch.rows.iter().zip(written).zip(surprises).zip(wanted);
        Ok(each
            .map(|(((row, text), surprise), wanted)| {
                Answer::of_text(
                    *row,
                    WrittenAnswer {
                        text,
                        surprise,
                        tokens: wanted.len() - 1,
                    },
                )
            })
            .collect())
    }
}

impl TextModel {
    /// What it writes about samples.
    pub(crate) fn write(&self, batch: Batch, texts: &Texts) -> Result<Vec<String>, Error> {
        self.written(&self.context_with(batch, &mut NoTap), texts)
    }

    fn written(&self, context: &Tokens, texts: &Texts) -> Result<Vec<String>, Error> {
        let target = texts.processor();
        let written = write(&self.decoder, context, target, &self.how)?.into_iter();
        let text = |ids: Vec<u32>| target.text(&ids).map_err(Texts::refused);
        written.map(text).collect()
    }

    /// -ln of the likelihood of each text that was wanted.
    fn surprises(&self, context: &Tokens, target: TargetBatch) -> Vec<f64> {
        let TargetBatch { texts, next } = target;
        let logits = self.decoder.forward_with(texts, context, &mut NoTap);
        let log_p = log_softmax(logits, 2);
        let padding = next.clone().lower_elem(0);
        let next = next.clamp_min(0).unsqueeze_dim(2); // [B, T] -> [B, T, 1]
        let picked: Tensor<2> = log_p.gather(2, next).squeeze_dim(2);
        let sums = picked.mask_fill(padding, 0.0).sum_dim(1).neg();
        sums.into_data().iter::<f64>().collect()
    }
}

/// A trained model of a recipe with labels: one whose head answers, or one that writes.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one of it.
pub enum Answering {
    /// With classes or numbers.
    Head(RecipeModel),
    /// With a text.
    Text(TextModel),
}

one_of!(Answering { Head, Text });

impl Ask for Answering {
    fn ask(
        &self,
        labels: &LabelSet,
        rows: &Prepared,
        batch: &HostBatch,
        device: &Device,
    ) -> Result<Vec<Answer>, Error> {
        match self {
            Self::Head(model) => model.ask(labels, rows, batch, device),
            Self::Text(model) => model.ask(labels, rows, batch, device),
        }
    }
}
