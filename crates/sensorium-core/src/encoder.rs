//! The contract of a modality: raw content → host sample → device batch → tokens.

use std::error::Error;
use std::fmt::Debug;
use std::path::Path;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Modality, NoTap, Parts, Source, Tap, Tokens, assert_shape};

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

/// An encoder that can be given a part of its tokens alone, to guess the others from them (masked modelling).
///
/// [`encode`](Encoder::encode) is [`open`](Maskable::open) and then [`close`](Maskable::close), to the last bit; between them,
/// tokens can be left out. What is left needs no order: each token brings its position with it.
pub trait Maskable: Encoder {
    /// How many numbers a token stands for.
    fn d_content(&self) -> usize;

    /// The most rows and columns of tokens, which stand row by row. A sample may have fewer rows.
    fn grid(&self) -> [usize; 2];

    /// How many tokens of its own, such as a class token, [`close`](Maskable::close) puts first.
    fn n_extra(&self) -> usize {
        0
    }

    /// Tokens before any of them sees another, showing named intermediates to `tap`.
    fn open_with<T: Tap>(&self, batch: Self::Batch, tap: &mut T) -> Opened;

    /// Encodes tokens, all or some, showing named intermediates to `tap`.
    fn close_with<T: Tap>(&self, tokens: Tokens, tap: &mut T) -> Tokens;

    /// Tokens before any of them sees another.
    fn open(&self, batch: Self::Batch) -> Opened {
        self.open_with(batch, &mut NoTap)
    }

    /// Encodes tokens, all or some of what [`open`](Maskable::open) gave: `[batch, some, d_output]` →
    /// `[batch, n_extra + some, d_output]`. The encoder's own tokens are padding where all others are.
    fn close(&self, tokens: Tokens) -> Tokens {
        self.close_with(tokens, &mut NoTap)
    }
}

/// What a [`Maskable`] encoder makes of a batch before its tokens see each other.
#[derive(Clone, Debug)]
pub struct Opened {
    /// With their positions: `[batch, tokens, d_output]`.
    pub tokens: Tokens,
    /// What each token stands for, such as the pixels of its patch: `[batch, tokens, d_content]`. Those of padding are
    /// unspecified but finite.
    pub contents: Tensor<3>,
}

impl Opened {
    /// Puts both together.
    ///
    /// # Panics
    /// If there are not as many contents as tokens.
    pub fn new(tokens: Tokens, contents: Tensor<3>) -> Self {
        let [batch, n_tokens, _] = tokens.dims();
        let [_, _, d_content] = contents.dims();
        assert_shape!(contents, [batch, n_tokens, d_content]);
        Self { tokens, contents }
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
        samples: &mut dyn Iterator<Item = Source>,
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
