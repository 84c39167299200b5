//! Modalities whose encoder is their own, or a published tower in its place.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_core::{
    Encoder, Modality, ModalityKit, Processor, SampleRng, Source, Tap, Tokens, one_of,
};
use sensorium_hub::RemoteOptions;
use sensorium_models::tower::{OfCheckpoint, TowerKit};

use crate::builtin;
use crate::registry::Refusal;
use crate::table::EncoderTable;

/// A kit with the tables of another, which may name a published tower with `from`.
#[derive(Clone, Copy, Debug)]
pub struct OrTower<K>(PhantomData<K>);

type Own<K> = <K as TowerKit>::Own;

impl<K: TowerKit> ModalityKit for OrTower<K> {
    const MODALITY: Modality = <Own<K> as ModalityKit>::MODALITY;
    type Config = EncoderTable<<Own<K> as ModalityKit>::Config>;
    type Processor = OwnOrTower<<Own<K> as ModalityKit>::Processor, OfCheckpoint<K::Processor>>;
    type Encoder = EncoderOrTower<<Own<K> as ModalityKit>::Encoder, K::Encoder>;
    type Error = Refused;

    fn validate(config: &Self::Config) -> Result<(), Refused> {
        if let Some(tower) = &config.tower {
            tower.validate()?;
        }
        Own::<K>::validate(&config.own).map_err(Refused::new)
    }

    fn fit(
        config: &Self::Config,
        samples: &mut dyn Iterator<Item = Source>,
    ) -> Result<Self::Processor, Refused> {
        Ok(match &config.tower {
            Some(tower) => {
                let checkpoint = builtin::checkpoint(&tower.from, &RemoteOptions::from_env())?;
                OwnOrTower::Tower(K::open(&config.own, checkpoint)?)
            }
            None => {
                let own = Own::<K>::fit(&config.own, samples).map_err(Refused::new)?;
                OwnOrTower::Own(own)
            }
        })
    }

    fn save(processor: &Self::Processor, dir: &Path) -> Result<(), Refused> {
        match processor {
            OwnOrTower::Own(own) => Own::<K>::save(own, dir).map_err(Refused::new),
            OwnOrTower::Tower(tower) => {
                let folder = folder::<K>(dir);
                std::fs::create_dir_all(&folder).map_err(Refused::new)?;
                Ok(K::save(tower, &folder)?)
            }
        }
    }

    fn open(config: &Self::Config, dir: &Path) -> Result<Self::Processor, Refused> {
        Ok(match &config.tower {
            Some(_) => OwnOrTower::Tower(K::reopen(&config.own, &folder::<K>(dir))?),
            None => OwnOrTower::Own(Own::<K>::open(&config.own, dir).map_err(Refused::new)?),
        })
    }

    fn encoder(
        config: &Self::Config,
        processor: &Self::Processor,
        device: &Device,
    ) -> Result<Self::Encoder, Refused> {
        Ok(match (processor, &config.tower) {
            (OwnOrTower::Tower(processor), Some(tower)) => {
                EncoderOrTower::Tower(K::encoder(tower, processor, device)?)
            }
            (OwnOrTower::Own(processor), _) => {
                let own = Own::<K>::encoder(&config.own, processor, device);
                EncoderOrTower::Own(own.map_err(Refused::new)?)
            }
            (OwnOrTower::Tower(_), None) => {
                unreachable!("a processor is made of the same table as its encoder")
            }
        })
    }

    fn absolute(mut config: Self::Config) -> Self::Config {
        let decoders = config.is_decoders();
        if let Some(tower) = &mut config.tower
            && !decoders
            && Path::new(&tower.from).is_dir()
            && let Ok(path) = std::path::absolute(&tower.from)
        {
            tower.from = path.display().to_string();
        }
        config.own = Own::<K>::absolute(config.own);
        config
    }
}

/// Where a saved model keeps a tower's files.
fn folder<K: TowerKit>(dir: &Path) -> PathBuf {
    dir.join(<Own<K> as ModalityKit>::MODALITY.name())
}

/// What a modality, or a published model, said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(Refusal);

impl Refused {
    fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

impl From<sensorium_models::Error> for Refused {
    fn from(error: sensorium_models::Error) -> Self {
        Self::new(error)
    }
}

impl From<sensorium_hub::Error> for Refused {
    fn from(error: sensorium_hub::Error) -> Self {
        Self::new(error)
    }
}

/// Prepares for one or the other.
#[derive(Clone, Debug)]
pub enum OwnOrTower<A, B> {
    /// The modality's own.
    Own(A),
    /// A published tower's.
    Tower(B),
}

impl<A, B> Processor for OwnOrTower<A, B>
where
    A: Processor,
    B: Processor<Sample = A::Sample, Batch = A::Batch>,
{
    type Sample = A::Sample;
    type Batch = A::Batch;
    type Error = Refused;

    fn process(&self, source: &Source) -> Result<A::Sample, Refused> {
        match self {
            Self::Own(own) => own.process(source).map_err(Refused::new),
            Self::Tower(tower) => tower.process(source).map_err(Refused::new),
        }
    }

    fn augment(&self, sample: A::Sample, rng: &mut SampleRng) -> A::Sample {
        match self {
            Self::Own(own) => own.augment(sample, rng),
            Self::Tower(tower) => tower.augment(sample, rng),
        }
    }

    fn augment_strongly(&self, sample: A::Sample, rng: &mut SampleRng) -> A::Sample {
        match self {
            Self::Own(own) => own.augment_strongly(sample, rng),
            Self::Tower(tower) => tower.augment_strongly(sample, rng),
        }
    }

    fn collate(&self, samples: &[Option<&A::Sample>], device: &Device) -> A::Batch {
        match self {
            Self::Own(own) => own.collate(samples, device),
            Self::Tower(tower) => tower.collate(samples, device),
        }
    }
}

/// Encodes with one or the other.
#[derive(Clone, Debug)]
pub enum EncoderOrTower<A, B> {
    /// The modality's own.
    Own(A),
    /// A published tower.
    Tower(B),
}

one_of!(EncoderOrTower<A: Encoder, B: Encoder> { Own, Tower });

impl<A, B> EncoderOrTower<A, B> {
    /// The modality's own, if it is that.
    pub fn own(&self) -> Option<&A> {
        match self {
            Self::Own(own) => Some(own),
            Self::Tower(_) => None,
        }
    }
}

impl<A, B> OwnOrTower<A, B> {
    /// The modality's own, if it is that.
    pub fn own(&self) -> Option<&A> {
        match self {
            Self::Own(own) => Some(own),
            Self::Tower(_) => None,
        }
    }
}

impl<A: Encoder, B: Encoder<Batch = A::Batch>> Encoder for EncoderOrTower<A, B> {
    const MODALITY: Modality = A::MODALITY;
    type Batch = A::Batch;

    fn d_output(&self) -> usize {
        match self {
            Self::Own(own) => own.d_output(),
            Self::Tower(tower) => tower.d_output(),
        }
    }

    fn encode_with<T: Tap>(&self, batch: A::Batch, tap: &mut T) -> Tokens {
        match self {
            Self::Own(own) => own.encode_with(batch, tap),
            Self::Tower(tower) => tower.encode_with(batch, tap),
        }
    }
}
