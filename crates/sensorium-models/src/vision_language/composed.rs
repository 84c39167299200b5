//! Models composed of any encoder, any projector and any causal decoder.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Fusion, NoTap, Parts, Tap, Tokens};

use super::{Features, VisionLanguage};
use crate::Error;
use crate::causal::CausalLm;
use crate::error::need;

/// Any encoder, of images, sounds or another modality, and a projector behind it: a fusion of one modality, such as two linear maps
/// (`sensorium_fusion::PrefixSplice`) or what makes few vectors of many (`sensorium_fusion::PerceiverFusion`, `QFormerFusion`).
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Tensor;
/// use sensorium_core::{Encoder, Fusion, Parts, Tap, Tokens};
/// use sensorium_models::causal::{CausalConfig, LlamaConfig};
/// use sensorium_models::vision_language::{Encoded, VisionLanguage};
/// use sensorium_vision::{IMAGE, ImageBatch, VitConfig};
///
/// /// One linear map.
/// #[derive(Module, Debug)]
/// struct Projector {
///     linear: Linear,
/// }
///
/// impl Fusion for Projector {
///     fn d_output(&self) -> usize {
///         self.linear.weight.dims()[1]
///     }
///
///     fn fuse_with<T: Tap>(&self, mut parts: Parts, _tap: &mut T) -> Tokens {
///         let seen = parts.remove(IMAGE).expect("what was seen");
///         Tokens::new(self.linear.forward(seen.embeds), seen.pad)
///     }
/// }
///
/// let device = sensorium_runtime::open("flex".parse()?)?;
/// let encoder = VitConfig::debug().init(&device);
/// let text = CausalConfig::from(LlamaConfig::debug());
/// let linear = LinearConfig::new(encoder.d_output(), text.d_model()).init(&device);
/// let seeing = Encoded { encoder, projector: Projector { linear } };
/// // Token 3 stands where an image's vectors go.
/// let model = VisionLanguage::composed(seeing, text.init(&device), 3)?;
///
/// let image = ImageBatch::dense(Tensor::zeros([1, 3, 8, 8], &device));
/// let places = model.images.count(image.clone())[0];
/// let prompt = [vec![1], vec![3; places], vec![5, 7]].concat();
/// let logits = model.forward(&[&prompt], Some(image))?;
/// assert_eq!(logits.dims(), [1, places + 3, 24]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct Encoded<E: Encoder, P: Fusion> {
    /// What sees or hears.
    pub encoder: E,
    /// Into the width of the text's tokens.
    pub projector: P,
}

impl<E: Encoder, P: Fusion> Encoded<E, P> {
    /// How many vectors each sample of a batch gives, and so how many places it takes in a prompt.
    pub fn count(&self, batch: E::Batch) -> Vec<usize> {
        let Tokens { pad, .. } = self.tokens_with(batch, &mut NoTap);
        let [_, tokens] = pad.dims();
        let pad: Vec<bool> = pad.into_data().iter::<bool>().collect();
        let there = |row: &[bool]| row.iter().filter(|pad| !**pad).count();
        pad.chunks(tokens.max(1)).map(there).collect()
    }

    fn tokens_with<T: Tap>(&self, batch: E::Batch, tap: &mut T) -> Tokens {
        let seen = in_layer(tap, "encoder", |tap| self.encoder.encode_with(batch, tap));
        let parts = Parts::new().with(E::MODALITY, seen);
        in_layer(tap, "projector", |tap| self.projector.fuse_with(parts, tap))
    }
}

impl<E: Encoder, P: Fusion> Features for Encoded<E, P> {
    type Input = E::Batch;

    fn d_text(&self) -> usize {
        self.projector.d_output()
    }

    fn features_with<T: Tap>(&self, batch: E::Batch, tap: &mut T) -> Tensor<2> {
        let tokens = self.tokens_with(batch, tap);
        tap.tensor("features", there(tokens))
    }
}

/// What is no padding, one after the other: `[batch, tokens, d]` → `[vectors, d]`
fn there(Tokens { embeds, pad }: Tokens) -> Tensor<2> {
    let [batch, tokens, d] = embeds.dims();
    let device = embeds.device();
    let pad: Vec<bool> = pad.into_data().iter::<bool>().collect();
    let rows = pad.iter().zip(0..).filter(|(pad, _)| !**pad);
    let rows: Vec<i64> = rows.map(|(_, row)| row).collect();
    let all = embeds.reshape([batch * tokens, d]);
    if rows.len() == batch * tokens {
        return all;
    }
    all.select(0, Tensor::<1, Int>::from_data(rows.as_slice(), &device))
}

impl<F: Features> VisionLanguage<F> {
    /// Puts a model together, in whose prompts `token` stands in the places for vectors.
    ///
    /// # Errors
    /// [`Error::Config`] if the text is not as wide as the vectors, or does not know the token.
    pub fn composed(images: F, text: CausalLm, token: u32) -> Result<Self, Error> {
        let [known, width] = text.model.token.weight.dims();
        let model = "a composed model";
        let seen = images.d_text();
        need(seen == width, model, "d_text", || {
            format!("text of {width} features cannot hold vectors of {seen}; they must be the same")
        })?;
        need((token as usize) < known, model, "token", || {
            format!("{token} must be below the text's vocabulary of {known}")
        })?;
        Ok(Self {
            images,
            text,
            image_token: token,
            axes: None,
        })
    }
}
