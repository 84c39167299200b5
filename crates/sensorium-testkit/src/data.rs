//! Test data, made on the host so that every backend gets the same.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// Numbers between -1 and 1 that depend on `seed` alone.
pub fn random<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let count = shape.iter().product::<usize>();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The numbers of a float tensor, row by row.
pub fn floats<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().iter::<f32>().collect()
}

/// The numbers of an int tensor, row by row, whatever the backend stores.
pub fn ints<const D: usize>(tensor: &Tensor<D, Int>) -> Vec<i64> {
    tensor.clone().into_data().iter::<i64>().collect()
}

/// The values of a bool tensor, row by row, whatever the backend stores.
pub fn bools<const D: usize>(tensor: &Tensor<D, Bool>) -> Vec<bool> {
    tensor.clone().into_data().iter::<bool>().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices;

    #[test]
    fn random_data_depends_on_the_seed_alone() {
        let numbers = |seed, device: &Device| floats(&random::<2>([20, 50], seed, device));
        let reference = numbers(1, &devices()[0]);
        assert!(reference.iter().all(|v| (-1.0..1.0).contains(v)));
        let mean = reference.iter().sum::<f32>() / 1000.0;
        assert!(mean.abs() < 0.1, "{mean}");
        for device in devices() {
            assert_eq!(numbers(1, &device), reference);
            assert_ne!(numbers(2, &device), reference);
        }
    }

    #[test]
    fn what_a_backend_stores_is_read_back() {
        for device in devices() {
            let tensor = Tensor::<1, Int>::from_data([1, -2, 3], &device);
            assert_eq!(ints(&tensor), [1, -2, 3]);
            assert_eq!(bools(&tensor.greater_elem(0)), [true, false, true]);
        }
    }
}
