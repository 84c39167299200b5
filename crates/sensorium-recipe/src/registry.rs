//! What the list in `modalities.rs` turns into: for each slot of a model (config, processor, host
//! sample, device batch, encoder) a struct with one optional field per modality, so that parameter
//! paths and recipe keys read `encoders.image…`.

use std::collections::BTreeSet;

use sensorium_core::{Modality, ModalityKit, Processor, SampleRng, seed};

/// Why a modality refused a config or an input; the message names key or file.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// What a kit's processor prepares.
pub(crate) type SampleOf<K> = <<K as ModalityKit>::Processor as Processor>::Sample;

/// What a kit's processor collates.
pub(crate) type BatchOf<K> = <<K as ModalityKit>::Processor as Processor>::Batch;

/// A modality that a recipe uses, and how wide its tokens are.
pub type Width = (Modality, usize);

/// Those modalities that are there.
pub(crate) fn there(each: &[(Modality, bool)]) -> BTreeSet<Modality> {
    let there = each.iter().filter(|(_, there)| *there);
    there.map(|(modality, _)| *modality).collect()
}

/// What patches of each row are hidden by, from the rows' seeds.
pub(crate) fn hidden_by(modality: Modality, rows: Vec<&u64>) -> impl Iterator<Item = SampleRng> {
    let own = [seed::of_name(modality.name())];
    rows.into_iter().map(move |row| seed::rng(*row, &own))
}

macro_rules! modalities {
    ($($name:ident: $kit:ty $(as $maskable:ident)?),+ $(,)?) => {
        use std::collections::{BTreeMap, BTreeSet};
        use std::path::{Path, PathBuf};

        use burn::module::Module;
        use burn::tensor::Device;
        use sensorium_core::tap::in_layer;
        use sensorium_core::{
            Encoder, EncoderSet, Gathered, HostBytes, Modality, ModalityKit, Parts, Processor, SampleRng, Source, Tap,
        };
        use sensorium_pretrain::{
            Glimpse, MaskedAutoencoder, MaskedAutoencoderConfig, MaskedModalities, MaskedModalitiesConfig,
        };
        use sensorium_train::Learned;
        use serde::{Deserialize, Serialize};

        use crate::pretext::HEADS;
        use crate::registry::{BatchOf, Refusal, SampleOf, Width, hidden_by, there};

        /// Every modality a recipe can name.
        pub const KNOWN: &[Modality] = &[$(<$kit as ModalityKit>::MODALITY),+];

        /// Those whose own encoders can be given a part of their tokens alone.
        pub const MASKABLE: &[&str] = &[$($({
            let _ = stringify!($maskable);
            stringify!($name)
        },)?)+];

        /// The recipe's tables `[encoders.NAME]`: a modality takes part if its table is there.
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct EncoderConfigs {
            $(
                #[doc = concat!("`[encoders.", stringify!($name), "]`")]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<<$kit as ModalityKit>::Config>,
            )+
        }

        impl EncoderConfigs {
            /// The modalities that take part, in order of their names.
            pub fn modalities(&self) -> BTreeSet<Modality> {
                there(&[$((<$kit as ModalityKit>::MODALITY, self.$name.is_some())),+])
            }

            /// Lets each modality refuse its table.
            ///
            /// # Errors
            /// The table's name and what its modality said.
            pub fn validate(&self) -> Result<(), (&'static str, Refusal)> {
                $(if let Some(config) = &self.$name {
                    <$kit>::validate(config).map_err(|error| (stringify!($name), error.into()))?;
                })+
                Ok(())
            }

            /// The modality of this name alone.
            pub fn only(&self, modality: &str) -> Self {
                Self {
                    $($name: self.$name.clone().filter(|_| modality == <$kit as ModalityKit>::MODALITY.name()),)+
                }
            }

            /// The same without a modality.
            pub fn without(&self, modality: Modality) -> Self {
                Self {
                    $($name: self.$name.clone().filter(|_| modality != <$kit as ModalityKit>::MODALITY),)+
                }
            }

            /// New processors: those of the saved model that `opened` names for a modality, or such as may learn from what
            /// `sources` gives.
            ///
            /// # Errors
            /// If a saved model lacks what the modality saved there, or a modality finds nothing to learn from.
            pub fn fit<I>(
                &self,
                opened: impl Fn(Modality) -> Option<PathBuf>,
                sources: impl Fn(Modality) -> I,
            ) -> Result<Processors, Refusal>
            where
                I: Iterator<Item = Source>,
            {
                let mut processors = Processors::default();
                $(if let Some(config) = &self.$name {
                    const MODALITY: Modality = <$kit as ModalityKit>::MODALITY;
                    processors.$name = Some(match opened(MODALITY) {
                        Some(dir) => <$kit>::open(config, &dir)?,
                        None => <$kit>::fit(config, &mut sources(MODALITY))?,
                    });
                })+
                Ok(processors)
            }

            /// The processors of a saved model.
            ///
            /// # Errors
            /// If the folder lacks what a modality saved there.
            pub fn open(&self, dir: &Path) -> Result<Processors, Refusal> {
                let mut processors = Processors::default();
                $(if let Some(config) = &self.$name {
                    processors.$name = Some(<$kit>::open(config, dir)?);
                })+
                Ok(processors)
            }

            /// The encoders that training begins with, for what `processors` prepare.
            ///
            /// # Errors
            /// The modality whose encoder cannot be read, and why.
            pub fn init(
                &self,
                processors: &Processors,
                device: &Device,
            ) -> Result<Encoders, (Modality, Refusal)> {
                Ok(Encoders {
                    $($name: match (&self.$name, &processors.$name) {
                        (Some(config), Some(processor)) => {
                            let encoder = <$kit>::encoder(config, processor, device);
                            let refused = |error| (<$kit as ModalityKit>::MODALITY, Refusal::from(error));
                            Some(encoder.map_err(refused)?)
                        }
                        _ => None,
                    },)+
                })
            }

            /// The same tables with absolute paths.
            pub fn absolute(self) -> Self {
                Self {
                    $($name: self.$name.map(<$kit>::absolute),)+
                }
            }
        }

        /// One processor for each modality that takes part.
        #[derive(Clone, Debug, Default)]
        pub struct Processors {
            $(
                #[doc = concat!("Prepares `", stringify!($name), "`.")]
                pub $name: Option<<$kit as ModalityKit>::Processor>,
            )+
        }

        impl Processors {
            /// What they prepare.
            pub fn modalities(&self) -> BTreeSet<Modality> {
                there(&[$((<$kit as ModalityKit>::MODALITY, self.$name.is_some())),+])
            }

            /// Saves what the processors learned into a model's folder.
            ///
            /// # Errors
            /// If the folder cannot be written.
            pub fn save(&self, dir: &Path) -> Result<(), Refusal> {
                $(if let Some(processor) = &self.$name {
                    <$kit>::save(processor, dir)?;
                })+
                Ok(())
            }

            /// Decodes and prepares what a row has of each modality that takes part.
            ///
            /// # Errors
            /// The modality that refused its input, and why.
            pub fn process(
                &self,
                inputs: &BTreeMap<Modality, Source>,
            ) -> Result<Samples, (Modality, Refusal)> {
                let mut samples = Samples::default();
                $({
                    const MODALITY: Modality = <$kit as ModalityKit>::MODALITY;
                    if let (Some(processor), Some(source)) = (&self.$name, inputs.get(&MODALITY)) {
                        let sample = processor
                            .process(source)
                            .map_err(|error| (MODALITY, error.into()))?;
                        samples.$name = Some(sample);
                    }
                })+
                Ok(samples)
            }

            /// A randomly changed copy of a sample, for training.
            pub fn augment(&self, samples: Samples, rng: &mut SampleRng) -> Samples {
                Samples {
                    $($name: match (&self.$name, samples.$name) {
                        (Some(processor), Some(sample)) => Some(processor.augment(sample, rng)),
                        (_, sample) => sample,
                    },)+
                }
            }

            /// A much changed copy of a sample, for learning what stays the same.
            pub fn augment_strongly(&self, samples: Samples, rng: &mut SampleRng) -> Samples {
                Samples {
                    $($name: match (&self.$name, samples.$name) {
                        (Some(processor), Some(sample)) => Some(processor.augment_strongly(sample, rng)),
                        (_, sample) => sample,
                    },)+
                }
            }

            /// Joins samples into a batch on a device. Samples without a modality are not encoded for it.
            pub fn collate(&self, samples: &[Samples], device: &Device) -> Batch {
                Batch {
                    $($name: self.$name.as_ref().and_then(|processor| {
                        let column: Vec<_> = samples.iter().map(|s| s.$name.as_ref()).collect();
                        Gathered::collate(processor, &column, device)
                    }),)+
                }
            }
        }

        /// One prepared row on the host; what it lacks is `None`.
        #[derive(Clone, Debug, Default)]
        pub struct Samples {
            $(
                #[doc = concat!("The prepared `", stringify!($name), "`.")]
                pub $name: Option<SampleOf<$kit>>,
            )+
        }

        impl Samples {
            /// The modalities this row has.
            pub fn modalities(&self) -> BTreeSet<Modality> {
                there(&[$((<$kit as ModalityKit>::MODALITY, self.$name.is_some())),+])
            }

            /// How much memory they take.
            pub fn host_bytes(&self) -> usize {
                let mut bytes = std::mem::size_of::<Self>();
                $(bytes += self.$name.as_ref().map_or(0, HostBytes::host_bytes);)+
                bytes
            }

            /// How much memory they take of one modality.
            pub fn host_bytes_of(&self, modality: Modality) -> usize {
                let mut bytes = 0;
                $(if modality == <$kit as ModalityKit>::MODALITY {
                    bytes = self.$name.as_ref().map_or(0, HostBytes::host_bytes);
                })+
                bytes
            }

            /// Keeps the named modalities only.
            pub fn keep(&mut self, modalities: &BTreeSet<Modality>) {
                $(if !modalities.contains(&<$kit as ModalityKit>::MODALITY) {
                    self.$name = None;
                })+
            }
        }

        /// Rows joined on a device.
        #[derive(Clone, Debug)]
        pub struct Batch {
            $(
                #[doc = concat!("The rows' `", stringify!($name), "`.")]
                pub $name: Option<Gathered<BatchOf<$kit>>>,
            )+
        }

        /// One encoder for each modality that takes part.
        #[derive(Module, Debug)]
        pub struct Encoders {
            $(
                #[doc = concat!("Encodes `", stringify!($name), "`.")]
                pub $name: Option<<$kit as ModalityKit>::Encoder>,
            )+
        }

        impl Encoders {
            /// The same, of which those of these names do not learn.
            pub fn frozen(self, names: &[String]) -> Self {
                Self {
                    $($name: match names.iter().any(|name| name == <$kit as ModalityKit>::MODALITY.name()) {
                        true => self.$name.map(Module::no_grad),
                        false => self.$name,
                    },)+
                }
            }

            /// What paints the hidden tokens of the one encoder there is, with a share hidden and a decoder of so many
            /// features and layers; none, if it cannot be masked.
            pub fn painter(
                &self,
                share: f64,
                d_decoder: usize,
                n_layers: usize,
            ) -> Option<MaskedAutoencoderConfig> {
                $($(if let Some(encoder) = self.$name.as_ref().and_then(|encoder| encoder.own()) {
                    let _ = stringify!($maskable);
                    let painter = MaskedAutoencoderConfig::new(encoder, d_decoder, n_layers, HEADS);
                    return Some(painter.with_share(share));
                })?)+
                None
            }

            /// What a batch teaches the one encoder there is, by painting what is hidden of it; none, if it cannot be
            /// masked.
            pub fn paint(
                &self,
                head: &MaskedAutoencoder,
                batch: Batch,
                rngs: impl Iterator<Item = SampleRng>,
            ) -> Option<Learned> {
                $($(if let (Some(encoder), Some(batch)) = (self.$name.as_ref().and_then(|encoder| encoder.own()), batch.$name.clone()) {
                    let _ = stringify!($maskable);
                    return Some(Learned::new(head.loss_hiding(encoder, batch.batch, rngs)));
                })?)+
                None
            }

            /// The same, with patches of all encoders that can be masked.
            pub fn hide_patches(&self, mut joint: MaskedModalitiesConfig) -> MaskedModalitiesConfig {
                $($(if let Some(encoder) = self.$name.as_ref().and_then(|encoder| encoder.own()) {
                    let _ = stringify!($maskable);
                    joint = joint.with_patches(encoder);
                })?)+
                joint
            }

            /// What is seen of a batch once patches of all encoders that can be masked are hidden, each row's by its seed.
            pub fn glimpses(
                &self,
                joint: &MaskedModalities,
                batch: &Batch,
                seeds: &[u64],
            ) -> BTreeMap<Modality, Glimpse> {
                let mut glimpses = BTreeMap::new();
                $($(if let (Some(encoder), Some(batch)) = (self.$name.as_ref().and_then(|encoder| encoder.own()), &batch.$name) {
                    let _ = stringify!($maskable);
                    const MODALITY: Modality = <$kit as ModalityKit>::MODALITY;
                    let rngs = hidden_by(MODALITY, batch.of_present(seeds));
                    let glimpse = joint.patches(encoder, batch.batch.clone(), rngs);
                    glimpses.insert(MODALITY, match &batch.place {
                        Some(place) => glimpse.spread(place.clone()),
                        None => glimpse,
                    });
                })?)+
                glimpses
            }

            /// How many patches are hidden so of each modality.
            pub fn hidden_patches(
                &self,
                joint: &MaskedModalities,
                batch: &Batch,
                seeds: &[u64],
            ) -> Vec<(Modality, f64)> {
                let mut hidden = Vec::new();
                $($(if let (Some(encoder), Some(batch)) = (self.$name.as_ref().and_then(|encoder| encoder.own()), &batch.$name) {
                    let _ = stringify!($maskable);
                    const MODALITY: Modality = <$kit as ModalityKit>::MODALITY;
                    let rngs = hidden_by(MODALITY, batch.of_present(seeds));
                    let count = joint.hidden_patches(encoder, batch.batch.clone(), rngs);
                    hidden.push((MODALITY, count));
                })?)+
                hidden
            }

            /// The modalities and the widths of their tokens, for the fusion.
            pub fn widths(&self) -> Vec<Width> {
                let mut widths = Vec::new();
                $(if let Some(encoder) = &self.$name {
                    widths.push((<$kit as ModalityKit>::MODALITY, encoder.d_output()));
                })+
                widths
            }
        }

        impl EncoderSet for Encoders {
            type Batch = Batch;

            fn encode_with<T: Tap>(&self, batch: Batch, tap: &mut T) -> Parts {
                let mut parts = Parts::new();
                $(if let (Some(encoder), Some(batch)) = (&self.$name, batch.$name) {
                    let tokens = in_layer(tap, stringify!($name), |tap| batch.encode_with(encoder, tap));
                    parts.insert(<$kit as ModalityKit>::MODALITY, tokens);
                })+
                parts
            }
        }
    };
}

pub(crate) use modalities;
