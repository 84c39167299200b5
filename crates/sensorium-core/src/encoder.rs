//! The contract of a modality: raw content → host sample → device batch → tokens.

use std::error::Error;
use std::fmt::Debug;
use std::path::Path;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Modality, NoTap, Parts, Source, Tap, Tokens};

/// Turns raw content into host samples, and samples into device batches. Holds no tensors.
pub trait Processor: Clone + Debug + Send + Sync + 'static {
    /// One prepared sample on the host.
    type Sample: HostBytes + Clone + Debug + Send + Sync + 'static;
    /// Many samples on a device: what the [`Encoder`] of this modality takes.
    type Batch: Clone + Debug + Send + 'static;
    /// Why content could not be prepared. Its message names the file.
    type Error: Error + Send + Sync + 'static;

    /// Decodes and prepares one sample. Deterministic; runs in parallel with others.
    ///
    /// # Errors
    /// If the content is missing, broken, hostile or of the wrong kind.
    fn process(&self, source: &Source) -> Result<Self::Sample, Self::Error>;

    /// A randomly changed copy of a sample, for training. By default nothing is changed.
    fn augment(&self, sample: Self::Sample, _rng: &mut ChaCha8Rng) -> Self::Sample {
        sample
    }

    /// A much changed copy, for learning what stays the same (FixMatch, arXiv 2001.07685; SimCLR, arXiv 2002.05709). By
    /// default it is changed as [`augment`](Processor::augment) does.
    fn augment_strongly(&self, sample: Self::Sample, rng: &mut ChaCha8Rng) -> Self::Sample {
        self.augment(sample, rng)
    }

    /// Joins samples into a batch; `None` is a sample without this modality, and comes out of the
    /// encoder as padding.
    ///
    /// # Panics
    /// If `samples` is empty.
    fn collate(&self, samples: &[Option<&Self::Sample>], device: &Device) -> Self::Batch;
}

/// Something on the host whose memory is counted, so that a cache can be bounded by it.
pub trait HostBytes {
    /// How many bytes it takes, at least: what it owns, without what it is itself.
    fn host_bytes(&self) -> usize;
}

impl HostBytes for f32 {
    fn host_bytes(&self) -> usize {
        0
    }
}

impl<T> HostBytes for Vec<T> {
    fn host_bytes(&self) -> usize {
        std::mem::size_of_val(self.as_slice())
    }
}

/// Turns a batch of one modality into tokens.
pub trait Encoder: Module + ModuleDisplay {
    /// What this encodes.
    const MODALITY: Modality;
    /// Device tensors: what the modality's [`Processor`] collates.
    type Batch: Clone + Debug + Send + 'static;

    /// The width of the tokens: `d_model` of what [`encode`](Encoder::encode) returns.
    fn d_output(&self) -> usize;

    /// Encodes, showing named intermediates to `tap`.
    fn encode_with<T: Tap>(&self, batch: Self::Batch, tap: &mut T) -> Tokens;

    /// Encodes a batch: `[batch, tokens, d_output]` with padding marked.
    fn encode(&self, batch: Self::Batch) -> Tokens {
        self.encode_with(batch, &mut NoTap)
    }
}

/// All that a recipe needs to know of a modality: one type per modality crate.
///
/// A recipe's table `[encoders.NAME]` is the [`Config`](ModalityKit::Config); what the processor
/// learned from the training data (a tokenizer, say) is saved with the model.
pub trait ModalityKit {
    /// What this is a kit for.
    const MODALITY: Modality;
    /// The recipe's table. Derive `Deserialize` with `deny_unknown_fields` and `default`.
    type Config: Clone + Debug + Default + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// Prepares samples.
    type Processor: Processor;
    /// Encodes them.
    type Encoder: Encoder<Batch = <Self::Processor as Processor>::Batch>;
    /// What can be wrong with a config or with saved state.
    type Error: Error + Send + Sync + 'static;

    /// Refuses a config that cannot work, naming the key and a way out.
    ///
    /// # Errors
    /// If sizes do not fit each other, or a value is out of range.
    fn validate(config: &Self::Config) -> Result<(), Self::Error>;

    /// A new processor, which may learn from the training samples' content.
    ///
    /// # Errors
    /// If the content gives nothing to learn from.
    fn fit(
        config: &Self::Config,
        samples: &mut dyn Iterator<Item = &Source>,
    ) -> Result<Self::Processor, Self::Error>;

    /// Saves what [`fit`](ModalityKit::fit) learned into a model's folder. By default there is nothing to save.
    ///
    /// # Errors
    /// If the folder cannot be written.
    fn save(_processor: &Self::Processor, _dir: &Path) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The processor of a saved model.
    ///
    /// # Errors
    /// If the folder lacks what [`save`](ModalityKit::save) wrote, or it is broken.
    fn open(config: &Self::Config, dir: &Path) -> Result<Self::Processor, Self::Error>;

    /// The encoder that training begins with, for what `processor` prepares: freshly initialised, or out of a checkpoint.
    ///
    /// # Errors
    /// If what it begins with cannot be read.
    fn encoder(
        config: &Self::Config,
        processor: &Self::Processor,
        device: &Device,
    ) -> Result<Self::Encoder, Self::Error>;

    /// The config with its paths made absolute, so that it can be read from anywhere. By default it has none.
    fn absolute(config: Self::Config) -> Self::Config {
        config
    }
}

/// The encoders of a model: a struct with one named field per modality, or a tuple.
pub trait EncoderSet: Module + ModuleDisplay {
    /// A batch of each modality, each of which may be missing.
    type Batch: Clone + Debug + Send + 'static;

    /// Encodes every modality the batch has.
    fn encode_with<T: Tap>(&self, batch: Self::Batch, tap: &mut T) -> Parts;
}

macro_rules! tuple_of_encoders {
    ($($encoder:ident $index:tt),+) => {
        impl<$($encoder: Encoder),+> EncoderSet for ($($encoder,)+) {
            type Batch = ($(Option<$encoder::Batch>,)+);

            fn encode_with<T: Tap>(&self, batch: Self::Batch, tap: &mut T) -> Parts {
                let mut parts = Parts::new();
                $(if let Some(batch) = batch.$index {
                    let tokens = crate::tap::in_layer(tap, $encoder::MODALITY.name(), |tap| {
                        self.$index.encode_with(batch, tap)
                    });
                    parts.insert($encoder::MODALITY, tokens);
                })+
                parts
            }
        }
    };
}

tuple_of_encoders!(A 0, B 1);
tuple_of_encoders!(A 0, B 1, C 2);
tuple_of_encoders!(A 0, B 1, C 2, D 3);
