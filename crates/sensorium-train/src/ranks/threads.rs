//! Ranks that are threads of one process: for tests, and to try out what several processes would come to.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::{Ranks, Together};
use crate::Error;

/// A thread among those that train together. Dropped, it is lost to the others.
#[derive(Debug)]
pub struct Member {
    rank: usize,
    hub: Arc<Hub>,
}

/// So many ranks that are to be given to a thread each.
///
/// ```
/// use sensorium_train::{Together, threads};
/// let working: Vec<_> = threads(2)
///     .into_iter()
///     .map(|member| std::thread::spawn(move || Together::new(member).gather("here".to_owned())))
///     .collect();
/// for one in working {
///     assert_eq!(one.join().unwrap()?, ["here", "here"]);
/// }
/// # Ok::<(), sensorium_train::Error>(())
/// ```
///
/// # Panics
/// If there are none.
pub fn threads(size: usize) -> Vec<Member> {
    assert!(size > 0, "somebody must be there");
    let hub = Arc::new(Hub {
        state: Mutex::new(State {
            given: vec![None; size],
            round: 0,
            last: Arc::default(),
            lost: false,
        }),
        changed: Condvar::new(),
    });
    let member = |rank| Member {
        rank,
        hub: Arc::clone(&hub),
    };
    (0..size).map(member).collect()
}

/// What each of so many ranks comes to, a thread each.
///
/// # Panics
/// If there are none, or one of them panics.
pub fn in_threads<T: Send>(size: usize, work: impl Fn(Together) -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let working: Vec<_> = threads(size)
            .into_iter()
            .map(|member| scope.spawn(move || work(Together::new(member))))
            .collect();
        let ends = working.into_iter().map(|one| one.join());
        ends.map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Where all leave what they have, and take what all have left.
#[derive(Debug)]
struct Hub {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    given: Vec<Option<Vec<u8>>>,
    /// How often all have given something.
    round: usize,
    /// What all gave in the last round.
    last: Arc<Vec<Vec<u8>>>,
    lost: bool,
}

impl Member {
    fn exchange(&self, own: Vec<u8>) -> Result<Arc<Vec<Vec<u8>>>, Error> {
        let mut state = self
            .hub
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let round = state.round;
        state.given[self.rank] = Some(own);
        if state.given.iter().all(Option::is_some) {
            state.last = Arc::new(state.given.iter_mut().filter_map(Option::take).collect());
            state.round += 1;
            self.hub.changed.notify_all();
        }
        while state.round == round {
            if state.lost {
                return Err(Error::RankLost {
                    reason: "a rank is lost".to_owned(),
                });
            }
            state = self
                .hub
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(Arc::clone(&state.last))
    }
}

impl Ranks for Member {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        let state = self
            .hub
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.given.len()
    }

    fn sum(&self, numbers: &mut [f32]) -> Result<(), Error> {
        let own = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let all = self.exchange(own)?;
        numbers.fill(0.0);
        for given in all.iter() {
            for (sum, bytes) in numbers.iter_mut().zip(given.chunks_exact(4)) {
                *sum += f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        Ok(())
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self.exchange(own.to_vec())?.to_vec())
    }

    fn spread(&self, own: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(self.exchange(own)?[0].clone())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self
            .hub
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.lost = true;
        self.hub.changed.notify_all();
    }
}
