//! How parameters begin.

use burn::module::Param;
use burn::nn::Initializer;
use burn::tensor::{Device, Distribution, Tensor};

/// Linear maps begin as in the transformer's common implementations: uniform by fan-in and fan-out
/// (Glorot and Bengio, 2010), which Burn draws for the bias too.
pub(super) const LINEAR: Initializer = Initializer::XavierUniform { gain: 1.0 };

/// A parameter drawn from a normal distribution of deviation `std`, without values beyond two
/// deviations: as embeddings, positions and class tokens begin in BERT and ViT (std 0.02).
pub fn trunc_normal<const D: usize>(
    shape: [usize; D],
    std: f64,
    device: &Device,
) -> Param<Tensor<D>> {
    let shape: Vec<usize> = shape.to_vec();
    Param::uninitialized(
        burn::module::ParamId::new(),
        {
            let shape = shape.clone();
            move |device, require_grad| {
                let mut value = draw::<D>(&shape, std, device);
                if require_grad {
                    value = value.require_grad();
                }
                value
            }
        },
        device.clone(),
        true,
        shape.into(),
    )
}

/// By the inverse of the distribution function: a uniform draw between Φ(-2) and Φ(2) becomes a
/// truncated normal one, with no draw thrown away.
fn draw<const D: usize>(shape: &[usize], std: f64, device: &Device) -> Tensor<D> {
    // erf(2/√2): the share of a normal distribution within two deviations.
    const WITHIN_TWO: f64 = 0.954_499_736_103_641_6;
    let uniform = Tensor::<D>::random(
        burn::tensor::Shape::from(shape.to_vec()),
        Distribution::Uniform(-WITHIN_TWO, WITHIN_TWO),
        device,
    );
    inverse_erf(uniform)
        .mul_scalar(std * std::f64::consts::SQRT_2)
        .clamp(-2.0 * std, 2.0 * std)
}

/// erf⁻¹ by Winitzki's approximation (2008), relative error below 2e-3: plenty for a first value.
fn inverse_erf<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    const A: f64 = 0.147;
    let log = x.clone().square().neg().add_scalar(1.0).log();
    let half = log
        .clone()
        .mul_scalar(0.5)
        .add_scalar(2.0 / (std::f64::consts::PI * A));
    let root = (half.clone().square() - log.div_scalar(A)).sqrt();
    (root - half).sqrt() * x.sign()
}
