//! Several processes that train one model together.
//!
//! Each holds the whole model and learns from its share of every batch. What the shares teach is added up before a step is taken,
//! so that all take the same step, which is the one that a process alone would have taken with the whole batch. Rank 0 writes, and
//! what it reads or decides it tells the others.

mod threads;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

pub use threads::{Member, in_threads, threads};

/// One of the processes that train together, and its way to the others.
///
/// All of them call the same methods in the same order: each call waits for the others. An error says that one is lost; nothing
/// can be done together any more.
pub trait Ranks: Send + Sync + Debug {
    /// Which of them this is, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Puts the sums of all ranks' numbers in the place of this one's. They are the same everywhere to the last bit.
    ///
    /// # Errors
    /// [`Error::RankLost`]
    fn sum(&self, numbers: &mut [f32]) -> Result<(), Error>;

    /// What each rank gives, in the order of ranks.
    ///
    /// # Errors
    /// [`Error::RankLost`]
    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, Error>;

    /// What rank 0 gives, to all. What others give is not looked at.
    ///
    /// # Errors
    /// [`Error::RankLost`]
    fn spread(&self, own: Vec<u8>) -> Result<Vec<u8>, Error>;
}

/// A process that trains by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, _numbers: &mut [f32]) -> Result<(), Error> {
        Ok(())
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(vec![own.to_vec()])
    }

    fn spread(&self, own: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(own)
    }
}

/// This process among those that train together, as what trains passes it on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Together {
    ranks: Arc<dyn Ranks>,
    /// How many bytes this one has told the others.
    told: Arc<AtomicU64>,
}

impl Default for Together {
    fn default() -> Self {
        Self::new(Alone)
    }
}

impl Together {
    /// By this way to the others.
    pub fn new(ranks: impl Ranks + 'static) -> Self {
        Self {
            ranks: Arc::new(ranks),
            told: Arc::default(),
        }
    }

    /// How many bytes this one has told the others so far, what it took to bring them there not counted.
    pub fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    fn tell(&self, bytes: usize) {
        self.told.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Which of them this is, from 0.
    pub fn rank(&self) -> usize {
        self.ranks.rank()
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.ranks.size()
    }

    /// Whether there are no others.
    pub fn is_alone(&self) -> bool {
        self.size() == 1
    }

    /// Whether this is the one that writes.
    pub fn writes(&self) -> bool {
        self.rank() == 0
    }

    /// See [`Ranks::sum`].
    ///
    /// # Errors
    /// [`Error::RankLost`]
    pub fn sum(&self, numbers: &mut [f32]) -> Result<(), Error> {
        self.tell(4 * numbers.len());
        self.ranks.sum(numbers)
    }

    /// What each rank has, in the order of ranks.
    ///
    /// # Errors
    /// [`Error::RankLost`]
    pub fn gather<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<Vec<T>, Error> {
        if self.is_alone() {
            return Ok(vec![own]);
        }
        let own = packed(&own);
        self.tell(own.len());
        self.ranks.gather(&own)?.iter().map(|x| read(x)).collect()
    }

    /// What rank 0 has, on all.
    ///
    /// # Errors
    /// [`Error::RankLost`]
    pub fn spread<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<T, Error> {
        if self.is_alone() {
            return Ok(own);
        }
        let own = packed(&own);
        self.tell(own.len());
        read(&self.ranks.spread(own)?)
    }

    /// What rank 0 makes, on all; the others make nothing. What keeps it from being made, everybody is told.
    ///
    /// # Errors
    /// What rank 0 met; on the others as [`Error::Elsewhere`].
    pub fn once<T, E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: std::fmt::Display + From<Error>,
    {
        if self.is_alone() {
            return make();
        }
        if !self.writes() {
            let told: Result<T, String> = read(&self.ranks.spread(Vec::new())?)?;
            return told.map_err(|reason| Error::Elsewhere { reason }.into());
        }
        let made = make();
        let told: Result<&T, String> = made.as_ref().map_err(ToString::to_string);
        self.ranks.spread(packed(&told))?;
        made
    }

    /// As [`once`](Self::once), of what is kept as JSON.
    ///
    /// # Errors
    /// As [`once`](Self::once).
    pub fn once_json<T, E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: std::fmt::Display + From<Error>,
    {
        if self.is_alone() {
            return make();
        }
        let mut made = None;
        let json = self.once(|| {
            let made = made.insert(make()?);
            Ok::<_, E>(
                serde_json::to_vec(made).expect("what is kept as JSON can be written as such"),
            )
        })?;
        match made {
            Some(made) => Ok(made),
            None => Ok(serde_json::from_slice(&json).map_err(unread)?),
        }
    }

    /// Refuses ranks that do not have the same of something that must be.
    ///
    /// # Errors
    /// [`Error::Apart`], which names the first that differs.
    pub fn agree(&self, what: &'static str, own: &str) -> Result<(), Error> {
        let all = self.gather(own.to_owned())?;
        match all.iter().position(|other| *other != all[0]) {
            Some(rank) => Err(Error::Apart { what, rank }),
            None => Ok(()),
        }
    }

    /// Whether it is so on any of them.
    ///
    /// # Errors
    /// [`Error::RankLost`]
    pub fn any(&self, own: bool) -> Result<bool, Error> {
        Ok(self.gather(own)?.contains(&true))
    }

    /// This one's part of so many things, of which each rank has as many as another or one more.
    pub fn share(&self, of: usize) -> std::ops::Range<usize> {
        share(of, self.rank(), self.size())
    }
}

/// The part of so many things that one of so many has: each has as many as another or one more.
pub fn share(of: usize, rank: usize, size: usize) -> std::ops::Range<usize> {
    of * rank / size..of * (rank + 1) / size
}

fn packed(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("what ranks tell each other is plain data")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(unread)
}

fn unread(error: impl std::fmt::Display) -> Error {
    Error::RankLost {
        reason: format!(
            "what another rank says is not understood ({error}): is it of the same version?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_what_is_told_are_the_same_everywhere() {
        for size in [1, 2, 5] {
            let sums = in_threads(size, |ranks| {
                let mut numbers = [0.1 * (1.0 + ranks.rank() as f32), 1.0];
                ranks.sum(&mut numbers).unwrap();
                let all = ranks.gather(ranks.rank()).unwrap();
                assert_eq!(all, (0..ranks.size()).collect::<Vec<_>>());
                let first: String = ranks.spread(format!("of {}", ranks.rank())).unwrap();
                assert_eq!(first, "of 0");
                assert!(ranks.any(ranks.rank() + 1 == ranks.size()).unwrap());
                assert!(!ranks.any(false).unwrap());
                numbers.map(f32::to_bits)
            });
            assert!(sums.iter().all(|sum| *sum == sums[0]));
            assert_eq!(f32::from_bits(sums[0][1]), size as f32);
        }
    }

    #[test]
    fn shares_cover_all_and_overlap_nowhere() {
        for (size, of) in [(1, 7), (2, 7), (4, 3), (3, 0), (5, 64)] {
            let shares = in_threads(size, |ranks| ranks.share(of));
            let all: Vec<usize> = shares.iter().cloned().flatten().collect();
            assert_eq!(all, (0..of).collect::<Vec<_>>());
            let lengths = shares.iter().map(ExactSizeIterator::len);
            assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
        }
    }

    #[test]
    fn what_rank_0_makes_or_meets_everybody_is_told() {
        let made = in_threads(3, |ranks| ranks.once(|| Ok::<_, Error>(ranks.rank() + 10)));
        assert!(made.into_iter().all(|made| made.unwrap() == 10));
        let met = in_threads(3, |ranks| {
            ranks
                .once(|| Err::<(), _>(Error::NothingToTrain))
                .unwrap_err()
                .to_string()
        });
        assert!(
            met[0].starts_with("no parameter is trainable"),
            "{}",
            met[0]
        );
        assert_eq!(
            met[1],
            "rank 0 ended: no parameter is trainable: unfreeze a part of the model"
        );
        let apart = in_threads(3, |ranks| {
            let own = if ranks.rank() == 1 { "b" } else { "a" };
            ranks.agree("data", own).unwrap_err().to_string()
        });
        assert!(
            apart
                .iter()
                .all(|error| error.contains("rank 1 has other data")),
            "{apart:?}"
        );
    }

    #[test]
    fn who_is_lost_is_nobodys_endless_wait() {
        let ends = in_threads(3, |ranks| match ranks.rank() {
            1 => None,
            _ => Some(ranks.sum(&mut [1.0]).unwrap_err().to_string()),
        });
        assert!(
            ends[0].as_ref().unwrap().contains("a rank is lost"),
            "{ends:?}"
        );
    }
}
