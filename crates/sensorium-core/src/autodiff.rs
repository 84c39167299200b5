//! Numbers from outside of a graph among tensors of it.

use burn::tensor::kind::Autodiff;
use burn::tensor::{Device, Tensor};

/// The same numbers as tensors of that device are, which has the memory they lie in: with autodiff and its checkpointing strategy, or with
/// neither. Nothing is learned through them.
///
/// Tensors with different strategies must not meet: the framework refuses what would be computed of both, and numbers that are only made
/// to have autodiff get the strategy that keeps everything.
pub fn with_autodiff_of<const D: usize, K: Autodiff>(
    numbers: Tensor<D, K>,
    device: &Device,
) -> Tensor<D, K> {
    let plain = numbers.inner();
    match device.gradient_checkpointing_strategy() {
        Some(strategy) => plain
            .autodiff()
            .with_gradient_checkpointing_strategy(strategy),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Int;
    use sensorium_testkit::{devices, floats};

    #[test]
    fn they_meet_tensors_of_any_training() {
        for device in devices() {
            let training = device.clone().autodiff();
            for training in [training.clone(), training.gradient_checkpointing()] {
                let weight = Tensor::<1>::from_data([2.0, 3.0], &training).require_grad();
                let strange = Tensor::<1>::from_data([4.0, 5.0], &device);
                // Numbers of another graph are no part of this one.
                for numbers in [strange.clone(), strange.autodiff().require_grad()] {
                    let numbers = with_autodiff_of(numbers, &training);
                    let grads = (weight.clone() * numbers.clone()).sum().backward();
                    assert_eq!(floats(&weight.grad(&grads).unwrap()), [4.0, 5.0]);
                    assert!(numbers.grad(&grads).is_none());
                }
                let place = Tensor::<1, Int>::from_data([1], &device);
                let picked = weight.clone().select(0, with_autodiff_of(place, &training));
                assert_eq!(floats(&picked.inner()), [3.0]);
                assert!(!with_autodiff_of(weight, &device).is_autodiff());
            }
        }
    }
}
