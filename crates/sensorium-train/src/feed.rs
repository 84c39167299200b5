//! Where batches come from.

use crate::BoxError;

/// The batches of an epoch, from some place in it on.
pub type Batches<'a, B> = Box<dyn Iterator<Item = Result<Fed<B>, BoxError>> + 'a>;

/// A batch and the samples in it.
#[derive(Clone, Debug)]
pub struct Fed<B> {
    /// The samples' ids, for messages; also how many samples there are.
    pub ids: Vec<String>,
    /// What the learner takes. Tensors lie on the autodiff device (`device.autodiff()`): on a plain one, dropout
    /// that is applied to them would do nothing.
    pub batch: B,
}

/// Gives batches in an order that depends on the epoch alone, so that a run can be resumed in its middle.
///
/// Decoding ahead in other threads is the feed's own affair; the loop holds one batch at a time.
pub trait Feed {
    /// What the learner takes.
    type Batch;

    /// How many batches each epoch has.
    fn batches_per_epoch(&self) -> usize;

    /// The batches of an epoch (counted from 0), without the first `from_batch` of them.
    ///
    /// # Errors
    /// Whatever keeps the feed from starting.
    fn batches(
        &self,
        epoch: usize,
        from_batch: usize,
    ) -> Result<Batches<'_, Self::Batch>, BoxError>;

    /// Which data set a sample is of, by its id, where several are mixed: the log then tells how many samples of each a step had.
    fn data_set(&self, _id: &str) -> Option<&str> {
        None
    }

    /// What the data is, such as a hash of the manifest: resuming with other data is refused. Empty: not known.
    fn identity(&self) -> String {
        String::new()
    }
}

/// A feed made of a function of epoch and batch, both counted from 0. For data at hand and for examples.
#[derive(Clone, Debug)]
pub struct FnFeed<F> {
    batches_per_epoch: usize,
    make: F,
}

impl<B, F: Fn(usize, usize) -> Result<Fed<B>, BoxError>> FnFeed<F> {
    /// A feed of so many batches an epoch.
    pub fn new(batches_per_epoch: usize, make: F) -> Self {
        Self {
            batches_per_epoch,
            make,
        }
    }
}

impl<B, F: Fn(usize, usize) -> Result<Fed<B>, BoxError>> Feed for FnFeed<F> {
    type Batch = B;

    fn batches_per_epoch(&self) -> usize {
        self.batches_per_epoch
    }

    fn batches(&self, epoch: usize, from_batch: usize) -> Result<Batches<'_, B>, BoxError> {
        let batches = from_batch..self.batches_per_epoch;
        Ok(Box::new(
            batches.map(move |batch| (self.make)(epoch, batch)),
        ))
    }
}
