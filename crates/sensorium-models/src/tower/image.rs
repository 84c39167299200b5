//! Vision towers of all families as one encoder of images.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens, one_of};
use sensorium_hub::Checkpoint;
use sensorium_vision::{IMAGE, ImageBatch, PublishedImageProcessor};

use super::{Output, Tower, projects, takes_other, weights};
use crate::clip::{ClipVisionConfig, ClipVisionModel, ClipVisionModelWithProjection};
use crate::dino::{Dinov2Config, Dinov2Model};
use crate::published::tower;
use crate::ready::{image_processor, unfit};
use crate::siglip::{SiglipVisionConfig, SiglipVisionModel};
use crate::vit::{VitConfig, VitModel};
use crate::{Error, Family};

/// A published model's vision tower, without what has no part in its output.
#[derive(Module, Debug)]
pub struct ImageTower {
    tower: AnyVision,
    #[module(skip)]
    output: Output,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "modules cannot be boxed, and a model has one of these"
)]
enum AnyVision {
    Vit(VitModel),
    Dinov2(Dinov2Model),
    Clip(ClipVisionModel),
    ClipProjected(ClipVisionModelWithProjection),
    Siglip(SiglipVisionModel),
}

one_of!(AnyVision {
    Vit,
    Dinov2,
    Clip,
    ClipProjected,
    Siglip
});

impl ImageTower {
    /// What prepares a checkpoint's images, at the size that its tower takes.
    ///
    /// # Errors
    /// If the model takes no images, or a file is missing, broken or does not fit.
    pub fn processor(checkpoint: &Checkpoint) -> Result<PublishedImageProcessor, Error> {
        const FILE: &str = "config.json";
        let config = checkpoint.config()?;
        let takes = match Family::of(checkpoint.name(), &config)? {
            Family::Vit => VitConfig::parse(FILE, &config)?.images(),
            Family::Dinov2 => Dinov2Config::parse(FILE, &config)?.images(),
            Family::Clip | Family::ClipVision => ClipVisionConfig::parse(FILE, &config)?.images(),
            Family::Siglip | Family::SiglipVision => {
                SiglipVisionConfig::parse(FILE, &config)?.images()
            }
            family => return Err(takes_other(checkpoint, family, "images")),
        };
        image_processor(checkpoint, &takes)
    }

    /// The model's own embedding, not normalised: `[batch, d]`. ViT and DINOv2 give the class token after the last norm,
    /// CLIP its projected and SigLIP its pooled embedding. Unspecified where an image is absent.
    ///
    /// # Panics
    /// If the tower was opened for its tokens and has no projection or head.
    pub fn embed(&self, batch: ImageBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    fn embed_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tensor<2> {
        match &self.tower {
            AnyVision::Vit(vit) => vit.embed_with(batch, tap),
            AnyVision::Dinov2(dino) => dino.embed_with(batch, tap),
            AnyVision::Clip(clip) => clip.embed_with(batch, tap),
            AnyVision::ClipProjected(clip) => clip.embed_with(batch, tap),
            AnyVision::Siglip(siglip) => siglip
                .embed_with(batch, tap)
                .expect("a tower that is opened for its embedding has a head"),
        }
    }
}

fn siglip(
    checkpoint: &Checkpoint,
    config: &SiglipVisionConfig,
    output: Output,
    device: &Device,
) -> Result<SiglipVisionModel, Error> {
    match (output, config.with_head) {
        (Output::Tokens, _) => Ok(config.init(device).without_head()),
        (Output::Embedding, true) => Ok(config.init(device)),
        (Output::Embedding, false) => {
            let problem = "this SigLIP has no head that pools; its tokens can be had".to_owned();
            Err(unfit(checkpoint, problem))
        }
    }
}

impl Tower for ImageTower {
    fn build(
        checkpoint: &Checkpoint,
        output: Output,
        pretrained: bool,
        device: &Device,
    ) -> Result<Self, Error> {
        let weights = weights(checkpoint, pretrained)?;
        let weights = weights.as_ref();
        let config = checkpoint.config()?;
        let family = Family::of(checkpoint.name(), &config)?;
        let tower = match family {
            Family::Vit => {
                let init = |config: &VitConfig| Ok(config.init(device));
                AnyVision::Vit(tower(checkpoint, weights, init)?)
            }
            Family::Dinov2 => {
                let init = |config: &Dinov2Config| Ok(config.init(device));
                AnyVision::Dinov2(tower(checkpoint, weights, init)?)
            }
            Family::Clip | Family::ClipVision
                if output == Output::Embedding && projects(family, &config, weights) =>
            {
                let init = |config: &ClipVisionConfig| Ok(config.init_with_projection(device));
                AnyVision::ClipProjected(tower(checkpoint, weights, init)?)
            }
            Family::Clip | Family::ClipVision => {
                let init = |config: &ClipVisionConfig| Ok(config.init(device));
                AnyVision::Clip(tower(checkpoint, weights, init)?)
            }
            Family::Siglip | Family::SiglipVision => {
                let init = |config: &SiglipVisionConfig| siglip(checkpoint, config, output, device);
                AnyVision::Siglip(tower(checkpoint, weights, init)?)
            }
            family => return Err(takes_other(checkpoint, family, "images")),
        };
        Ok(Self { tower, output })
    }
}

impl Encoder for ImageTower {
    const MODALITY: Modality = IMAGE;
    type Batch = ImageBatch;

    fn d_output(&self) -> usize {
        match &self.tower {
            AnyVision::Vit(tower) => tower.d_output(),
            AnyVision::Dinov2(tower) => tower.d_output(),
            AnyVision::Clip(tower) => tower.d_output(),
            AnyVision::ClipProjected(tower) => tower.d_output(),
            AnyVision::Siglip(tower) => tower.d_output(),
        }
    }

    /// `[batch, channels, height, width]` → `[batch, tokens, d]`, or `[batch, 1, d]` where the embedding is handed on.
    ///
    /// # Panics
    /// If images have another size or other channels than the tower takes.
    fn encode_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        if self.output == Output::Embedding {
            let present = batch.present.clone();
            let embedding = self.embed_with(batch, tap);
            return Tokens::with_presence(embedding.unsqueeze_dim(1), present); // [B, D] -> [B, 1, D]
        }
        match &self.tower {
            AnyVision::Vit(tower) => tower.encode_with(batch, tap),
            AnyVision::Dinov2(tower) => tower.encode_with(batch, tap),
            AnyVision::Clip(tower) => tower.encode_with(batch, tap),
            AnyVision::ClipProjected(tower) => tower.encode_with(batch, tap),
            AnyVision::Siglip(tower) => tower.encode_with(batch, tap),
        }
    }
}
