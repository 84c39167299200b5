//! Whether a checkpoint would load, without loading it.

use burn::tensor::Device;
use sensorium_hub::{Allow, Checkpoint, LoadReport, check};

use crate::bert::{BertForMaskedLm, BertForSequenceClassification, BertModel};
use crate::clip::{
    ClipModel, ClipTextModel, ClipTextModelWithProjection, ClipVisionModel,
    ClipVisionModelWithProjection,
};
use crate::dino::{Dinov2ForImageClassification, Dinov2Model};
use crate::family::head;
use crate::published::holds;
use crate::siglip::{SiglipModel, SiglipTextModel, SiglipVisionModel};
use crate::vit::{VitForImageClassification, VitModel};
use crate::{Error, Family, Published};

/// Compares a checkpoint with the model that its `config.json` names: its family, and the head among `architectures`.
///
/// # Errors
/// If the family is not known, and [`sensorium_hub::Error::Mismatch`] with every tensor that does not fit.
pub fn fit(checkpoint: &Checkpoint, device: &Device) -> Result<LoadReport, Error> {
    let config = checkpoint.config()?;
    let family = Family::of(checkpoint.name(), &config)?;
    let projects = || -> Result<bool, Error> {
        let weights = checkpoint.weights()?;
        Ok(["text_projection.weight", "visual_projection.weight"]
            .iter()
            .any(|name| holds(&weights, name)))
    };
    match (family, head(&config)) {
        (Family::Bert, "ForMaskedLM") => of::<BertForMaskedLm>(checkpoint, device),
        (Family::Bert, "ForSequenceClassification") => {
            of::<BertForSequenceClassification>(checkpoint, device)
        }
        (Family::Bert, _) => of::<BertModel>(checkpoint, device),
        (Family::Vit, "ForImageClassification") => {
            of::<VitForImageClassification>(checkpoint, device)
        }
        (Family::Vit, _) => of::<VitModel>(checkpoint, device),
        (Family::Dinov2, "ForImageClassification") => {
            of::<Dinov2ForImageClassification>(checkpoint, device)
        }
        (Family::Dinov2, _) => of::<Dinov2Model>(checkpoint, device),
        (Family::Clip, _) => of::<ClipModel>(checkpoint, device),
        (Family::ClipText, _) if projects()? => {
            of::<ClipTextModelWithProjection>(checkpoint, device)
        }
        (Family::ClipText, _) => of::<ClipTextModel>(checkpoint, device),
        (Family::ClipVision, _) if projects()? => {
            of::<ClipVisionModelWithProjection>(checkpoint, device)
        }
        (Family::ClipVision, _) => of::<ClipVisionModel>(checkpoint, device),
        (Family::Siglip, _) => of::<SiglipModel>(checkpoint, device),
        (Family::SiglipText, _) => of::<SiglipTextModel>(checkpoint, device),
        (Family::SiglipVision, _) => of::<SiglipVisionModel>(checkpoint, device),
    }
}

fn of<M: Published>(checkpoint: &Checkpoint, device: &Device) -> Result<LoadReport, Error> {
    let config = M::parse("config.json", &checkpoint.config()?)?;
    let weights = checkpoint.weights()?;
    let model = M::prepare(&config, &weights, device);
    // A tower's checkpoint may hold more; what it is shows in the report.
    let allow = match M::PART {
        true => Allow::nothing().unused(),
        false => Allow::nothing(),
    };
    Ok(check(&model, &weights, &M::key_map(&config), &allow)?)
}
