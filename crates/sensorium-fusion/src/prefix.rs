//! Features of one modality among the tokens of a decoder: what a model that reads pictures or sounds does with them.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_core::nn::{Activation, linear};
use sensorium_core::{Fusion, Parts, Tap, Tokens, assert_shape};

use crate::Error;

/// Configuration of a [`PrefixSplice`].
#[derive(Clone, Debug)]
pub struct PrefixSpliceConfig {
    d_features: usize,
    d_model: usize,
    activation: Activation,
}

impl PrefixSpliceConfig {
    /// From features of an encoder to a decoder's embeddings, with exact GELU between two linear maps.
    pub fn new(d_features: usize, d_model: usize) -> Self {
        Self {
            d_features,
            d_model,
            activation: Activation::Gelu,
        }
    }

    /// The activation between the two linear maps.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// A freshly initialised module.
    pub fn init(&self, device: &Device) -> PrefixSplice {
        PrefixSplice {
            up: LinearConfig::new(self.d_features, self.d_model).init(device),
            down: LinearConfig::new(self.d_model, self.d_model).init(device),
            activation: self.activation,
        }
    }
}

/// Features of an encoder, brought to a decoder's width by two linear maps (LLaVA, arXiv 2304.08485 and 2310.03744), in the places
/// that a text holds free for them.
///
/// ```
/// use burn::tensor::Tensor;
/// use sensorium_core::Tokens;
/// use sensorium_fusion::PrefixSpliceConfig;
///
/// let device = sensorium_runtime::open("flex".parse()?)?;
/// let splice = PrefixSpliceConfig::new(16, 8).init(&device);
/// let text = Tokens::dense(Tensor::ones([1, 4, 8], &device));
/// let image = Tokens::dense(Tensor::ones([1, 2, 16], &device));
/// // The second and third token of the text are where the picture goes.
/// let places = Tensor::from_data([[false, true, true, false]], &device);
/// let input = splice.forward(text, &places, image)?;
/// assert_eq!(input.dims(), [1, 4, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct PrefixSplice {
    /// `d_features` → `d_model`
    pub up: Linear,
    /// `d_model` → `d_model`
    pub down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl PrefixSplice {
    /// Features as a decoder's embeddings: `[batch, features, d_features]` → `[batch, features, d_model]`
    pub fn project(&self, features: Tokens) -> Tokens {
        let hidden = self.activation.forward(linear(&self.up, features.embeds));
        Tokens::new(linear(&self.down, hidden), features.pad)
    }

    /// `text` with projected features in its places, see [`splice`].
    ///
    /// # Errors
    /// If a sample has another number of places than of features.
    pub fn forward(
        &self,
        text: Tokens,
        places: &Tensor<2, Bool>,
        features: Tokens,
    ) -> Result<Tokens, Error> {
        splice(text, places, self.project(features))
    }
}

/// As a fusion of one modality, whose tokens it projects.
impl Fusion for PrefixSplice {
    fn d_output(&self) -> usize {
        self.down.weight.dims()[1]
    }

    /// # Panics
    /// If there is not one modality.
    fn fuse_with<T: Tap>(&self, parts: Parts, _tap: &mut T) -> Tokens {
        let mut parts = parts.into_iter();
        let (Some((_, features)), None) = (parts.next(), parts.next()) else {
            panic!("a projector takes what one encoder gave");
        };
        self.project(features)
    }
}

/// Puts the features of each sample, in their order, in the places of its text. Features that are padding are passed over; a sample
/// without features has no places.
///
/// # Shapes
/// - `text`: `[batch, tokens, d_model]`; what stands in a place does not count
/// - `places`: `[batch, tokens]`, true = a place; all together, in runs, wherever they are
/// - `features`: `[batch, features, d_model]`
/// - returns `[batch, tokens, d_model]`
///
/// # Errors
/// If a sample has another number of places than of features, with both counts; the places are read on the host.
///
/// # Panics
/// If shapes do not fit each other.
pub fn splice(text: Tokens, places: &Tensor<2, Bool>, features: Tokens) -> Result<Tokens, Error> {
    let [batch, tokens, d_model] = text.dims();
    let [_, n_features, _] = features.dims();
    assert_shape!(places, [batch, tokens]);
    assert_shape!(features, [batch, n_features, d_model]);
    let bools = |t: Tensor<2, Bool>| t.into_data().iter::<bool>().collect::<Vec<_>>();
    let rows = rows(
        &bools(places.clone()),
        &bools(features.pad.clone()),
        [batch, tokens, n_features],
    )?;
    let device = text.device();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [batch * tokens]), &device);
    // Embeddings of the text and of the features as one table, from which each place takes its row.
    let table = Tensor::cat(
        vec![
            text.embeds.reshape([batch * tokens, d_model]),
            features.embeds.reshape([batch * n_features, d_model]),
        ],
        0,
    );
    let embeds = table.select(0, rows).reshape([batch, tokens, d_model]);
    // A place that was filled is no padding, whatever stood there.
    Ok(Tokens::new(
        embeds,
        text.pad.bool_and(places.clone().bool_not()),
    ))
}

/// For each token its row in a table of all tokens, followed by all features.
fn rows(
    places: &[bool],
    pad: &[bool],
    [batch, tokens, n_features]: [usize; 3],
) -> Result<Vec<i64>, Error> {
    let mut rows: Vec<i64> = (0..(batch * tokens) as i64).collect();
    for sample in 0..batch {
        let places = &places[sample * tokens..(sample + 1) * tokens];
        let pad = &pad[sample * n_features..(sample + 1) * n_features];
        let free: Vec<usize> = (0..tokens).filter(|t| places[*t]).collect();
        let given: Vec<usize> = (0..n_features).filter(|f| !pad[*f]).collect();
        if free.len() != given.len() {
            let starts = |t: &&usize| **t == 0 || !places[**t - 1];
            return Err(Error::Places {
                sample,
                places: free.len(),
                runs: free.iter().filter(starts).count(),
                features: given.len(),
            });
        }
        for (place, feature) in free.into_iter().zip(given) {
            rows[sample * tokens + place] = (batch * tokens + sample * n_features + feature) as i64;
        }
    }
    Ok(rows)
}
