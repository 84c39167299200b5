//! Product of experts: each modality says what it believes and how sure it is.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{Vector, VectorInputs, pooled_config};
use crate::inputs::Width;
use crate::{FromTable, FusionConfig};

/// Log variances are held within this, so that a single sure modality cannot make all others and the gradient vanish.
const MOST_LOG_VARIANCE: f64 = 10.0;

pooled_config! {
    /// Configuration of a [`ProductOfExperts`].
    ProductOfExpertsConfig {}
}

impl ProductOfExpertsConfig {
    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> ProductOfExperts {
        ProductOfExperts {
            inputs: VectorInputs::new(&self.widths, self.pool, 2 * self.d_output, device),
            d_output: self.d_output,
        }
    }
}

/// Each modality gives a normal distribution of `d_output` independent features, its mean and log variance by a linear map;
/// their product with a standard normal one is normal again, and its mean is the answer (arXiv 1802.05335):
/// `μ = Σ μ_i σ_i⁻² / (1 + Σ σ_i⁻²)`.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1, d_output]`; the variance `1 / (1 + Σ σ_i⁻²)` `[batch, d_output]` is
/// tapped as `variance`.
///
/// An absent modality simply drops out. A sample without any is the standard normal, of mean zero.
///
/// # Differs from the paper
/// There the product is the posterior of a variational autoencoder, drawn from in training; here its mean goes on.
#[derive(Module, Debug)]
pub struct ProductOfExperts {
    /// `d_i` → means, then log variances, `2 · d_output`
    pub inputs: VectorInputs,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for ProductOfExperts {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = self.inputs.forward(parts);
        let (mut weighted, mut precision) = (None, None);
        for vector in &vectors {
            let (mean, sureness) = expert(vector, self.d_output);
            let product = mean * sureness.clone();
            weighted = Some(add(weighted, product));
            precision = Some(add(precision, sureness));
        }
        let (Some(weighted), Some(precision)) = (weighted, precision) else {
            unreachable!("a fusion has at least one modality");
        };
        let variance = precision.add_scalar(1.0).recip(); // the standard normal's precision is one
        let variance = tap.tensor("variance", variance);
        let mean = weighted * variance; // [B, D]
        Tokens::dense(tap.tensor("output", mean.unsqueeze_dim(1)))
    }
}

/// Mean and precision of a modality, `[batch, d]` each; the precision is zero where a sample lacks it.
fn expert(vector: &Vector, d: usize) -> (Tensor<2>, Tensor<2>) {
    let mean = vector.x.clone().narrow(1, 0, d);
    let log_variance = vector.x.clone().narrow(1, d, d);
    let log_variance = log_variance.clamp(-MOST_LOG_VARIANCE, MOST_LOG_VARIANCE);
    (mean, log_variance.neg().exp() * vector.weight())
}

fn add(sum: Option<Tensor<2>>, x: Tensor<2>) -> Tensor<2> {
    match sum {
        Some(sum) => sum + x,
        None => x,
    }
}

impl FromTable for ProductOfExperts {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = ProductOfExpertsConfig::new(widths, table.d_model);
        config.with_pool(table.pool).init(device)
    }
}
