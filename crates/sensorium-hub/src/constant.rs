//! What checkpoints hold beside weights.

use std::sync::Arc;

/// Whole numbers that a family's sizes alone decide: a table of places, a count that nothing reads. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Arc<[i64]>,
}

impl Constant {
    /// Numbers of a shape, row by row; no dimension is a single number.
    ///
    /// # Panics
    /// If there are more or fewer numbers than the shape holds.
    pub fn new(shape: impl Into<Vec<usize>>, numbers: impl Into<Arc<[i64]>>) -> Self {
        let (shape, numbers) = (shape.into(), numbers.into());
        let count: usize = shape.iter().product();
        assert_eq!(numbers.len(), count, "numbers for the shape {shape:?}");
        Self { shape, numbers }
    }
}
