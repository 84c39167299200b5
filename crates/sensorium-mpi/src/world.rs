//! All processes that were started together, as MPI's world.
//!
//! MPI is talked to by one thread alone, which also begins and ends it, so that it need not be told of any other.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use mpi::collective::{CommunicatorCollectives, Root, SystemOperation};
use mpi::datatype::PartitionMut;
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::{Count, Threading};
use sensorium_train::{Error as TrainError, Ranks, Together};

use crate::Error;

/// The most bytes that are told in one message: MPI counts in 31 bits.
const MOST: usize = 1 << 30;

/// How long the others may be silent, in seconds; see [`World::start`].
pub const PATIENCE: &str = "SENSORIUM_RANKS_PATIENCE_S";

/// As PyTorch's processes on CPUs wait: longer than anything that one does alone, such as writing a large checkpoint.
const PATIENCE_S: u64 = 30 * 60;

/// This process among those that were started with it. Cheap to clone; MPI ends with the last clone.
#[derive(Clone, Debug)]
pub struct World {
    rank: usize,
    size: usize,
    patience: Duration,
    line: Arc<Line>,
}

/// The way to the thread that talks to MPI.
#[derive(Debug)]
struct Line {
    asked: Mutex<Option<Sender<Asked>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is asked of MPI, and where the answer goes.
enum Asked {
    Sum(Vec<f32>, Sender<Vec<f32>>),
    Gather(Vec<u8>, Sender<Vec<Vec<u8>>>),
    Spread(Vec<u8>, Sender<Vec<u8>>),
    Abort(i32),
}

impl World {
    /// Begins MPI. Whoever has asked the others something and is not answered within half an hour, or so many seconds as the variable
    /// [`PATIENCE`] says, takes them for lost: MPI itself may wait for ever for one that hangs, or that a cut network hides.
    ///
    /// # Errors
    /// If it has been begun already, its thread cannot be made, or the variable is no number of seconds.
    pub fn start() -> Result<Self, Error> {
        let patience = patience(std::env::var(PATIENCE).ok().as_deref())?;
        let (asked, questions) = channel();
        let (begun, beginning) = channel();
        let serve = move || {
            // The launcher knows this process, whichever of its threads speaks.
            let Some((universe, _)) = mpi::initialize_with_threading(Threading::Serialized) else {
                return;
            };
            let world = universe.world();
            let place = (world.rank() as usize, world.size() as usize);
            if begun.send(place).is_ok() {
                answer(&world, &questions);
            }
        };
        let refuse = |reason: String| Error::NotBegun { reason };
        let thread = std::thread::Builder::new()
            .name("mpi".to_owned())
            .spawn(serve);
        let thread = thread.map_err(|error| refuse(error.to_string()))?;
        let begun = beginning.recv();
        let (rank, size) = begun.map_err(|_| refuse("it has begun already".to_owned()))?;
        Ok(Self {
            rank,
            size,
            patience,
            line: Arc::new(Line {
                asked: Mutex::new(Some(asked)),
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// Passed on to what trains.
    pub fn together(&self) -> Together {
        Together::new(self.clone())
    }

    /// Which of them this is, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Ends all of them at once, by the launcher.
    pub fn abort(&self, code: i32) {
        let (_never, end) = channel::<()>();
        self.line.ask(Asked::Abort(code));
        // It does not come back, unless the thread still waits for those who are lost. The launcher ends all when one ends so.
        let _ = end.recv_timeout(Duration::from_secs(10));
        std::process::exit(code);
    }

    fn asked<T>(&self, ask: impl FnOnce(Sender<T>) -> Asked) -> Result<T, TrainError> {
        let (answer, answered) = channel();
        self.line.ask(ask(answer));
        answered.recv_timeout(self.patience).map_err(|silence| {
            let seconds = self.patience.as_secs();
            TrainError::RankLost {
                reason: match silence {
                    RecvTimeoutError::Disconnected => "MPI has ended".to_owned(),
                    RecvTimeoutError::Timeout => format!(
                        "nothing was heard of the others for {seconds} s ({PATIENCE}): one of them hangs, or the network is cut"
                    ),
                },
            }
        })
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&self, numbers: &mut [f32]) -> Result<(), TrainError> {
        let sums = self.asked(|answer| Asked::Sum(numbers.to_vec(), answer))?;
        numbers.copy_from_slice(&sums);
        Ok(())
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, TrainError> {
        self.asked(|answer| Asked::Gather(own.to_vec(), answer))
    }

    fn spread(&self, own: Vec<u8>) -> Result<Vec<u8>, TrainError> {
        self.asked(|answer| Asked::Spread(own, answer))
    }
}

impl Line {
    fn ask(&self, question: Asked) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = &*asked {
            // Where nobody listens any more, nobody answers, and that is noticed.
            let _ = asked.send(question);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // MPI waits for all processes here, as they all come to their ends.
            let _ = thread.join();
        }
    }
}

/// The patience that a variable of this value asks for.
fn patience(value: Option<&str>) -> Result<Duration, Error> {
    let seconds = match value {
        None => Some(PATIENCE_S),
        Some(value) => value.parse().ok().filter(|seconds| *seconds > 0),
    };
    let seconds = seconds.ok_or_else(|| Error::NotBegun {
        reason: format!(
            "{PATIENCE} is {:?}, which is no number of seconds above 0",
            value.unwrap_or_default()
        ),
    })?;
    Ok(Duration::from_secs(seconds))
}

/// Does what is asked until nobody is left to ask.
fn answer(world: &SimpleCommunicator, questions: &Receiver<Asked>) {
    for question in questions {
        // An answer that nobody waits for any more is no fault.
        match question {
            Asked::Sum(own, answer) => drop(answer.send(sum(world, &own))),
            Asked::Gather(own, answer) => drop(answer.send(gather(world, &own))),
            Asked::Spread(own, answer) => drop(answer.send(spread(world, own))),
            Asked::Abort(code) => world.abort(code),
        }
    }
}

fn sum(world: &SimpleCommunicator, own: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; own.len()];
    for (own, sums) in own.chunks(MOST / 4).zip(sums.chunks_mut(MOST / 4)) {
        world.all_reduce_into(own, sums, SystemOperation::sum());
    }
    sums
}

fn gather(world: &SimpleCommunicator, own: &[u8]) -> Vec<Vec<u8>> {
    let size = world.size() as usize;
    let mut lengths = vec![0u64; size];
    world.all_gather_into(&(own.len() as u64), &mut lengths[..]);
    let mut all: Vec<Vec<u8>> = lengths
        .iter()
        .map(|n| Vec::with_capacity(*n as usize))
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or_default() as usize;
    // As much of each at a time as all of them together may be.
    let most = (MOST / size).max(1);
    for start in (0..longest).step_by(most) {
        let part = |length: usize| length.saturating_sub(start).min(most);
        let counts: Vec<Count> = lengths.iter().map(|n| part(*n as usize) as Count).collect();
        let places: Vec<Count> = counts
            .iter()
            .scan(0, |place, count| {
                *place += count;
                Some(*place - count)
            })
            .collect();
        let whole = counts.iter().sum::<Count>() as usize;
        let mut told = vec![0u8; whole];
        let from = start.min(own.len());
        let own = &own[from..from + part(own.len())];
        let mut parts = PartitionMut::new(&mut told[..], &counts[..], &places[..]);
        world.all_gather_varcount_into(own, &mut parts);
        for (all, (place, count)) in all.iter_mut().zip(places.iter().zip(&counts)) {
            all.extend_from_slice(&told[*place as usize..(place + count) as usize]);
        }
    }
    all
}

fn spread(world: &SimpleCommunicator, own: Vec<u8>) -> Vec<u8> {
    let first = world.process_at_rank(0);
    let mut length = own.len() as u64;
    first.broadcast_into(&mut length);
    let mut told = match world.rank() {
        0 => own,
        _ => vec![0; length as usize],
    };
    for part in told.chunks_mut(MOST) {
        first.broadcast_into(part);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_half_an_hour_unless_told_otherwise() {
        assert_eq!(patience(None).unwrap(), Duration::from_secs(1800));
        assert_eq!(patience(Some("5")).unwrap(), Duration::from_secs(5));
        for wrong in ["0", "-1", "1.5", "soon", ""] {
            let error = patience(Some(wrong)).unwrap_err().to_string();
            assert!(
                error.contains(PATIENCE) && error.contains("seconds"),
                "{error}"
            );
        }
    }
}
