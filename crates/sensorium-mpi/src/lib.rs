//! Processes that train one model together, over the system's MPI: started side by side on one machine or on many, by `mpirun` or by a
//! cluster's scheduler.
//!
//! This crate must never know models, data or recipes; it is one way for [`sensorium_train::Ranks`] to reach each other. Without the
//! feature `mpi` it needs nothing to be installed, and can only tell that it would be needed.
//!
//! ```
//! // Started by itself, a program has no others.
//! assert!(sensorium_mpi::start()?.is_none());
//! # Ok::<(), sensorium_mpi::Error>(())
//! ```

#[cfg(feature = "mpi")]
mod world;

#[cfg(feature = "mpi")]
pub use world::{PATIENCE, World};

/// What launchers tell a process: how many there are, how many on its machine, and which of these it is. Open MPI, then MPICH and Intel
/// MPI.
const LAUNCHERS: [[&str; 3]; 2] = [
    [
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
    ],
    ["PMI_SIZE", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"],
];

/// A process that was started side by side with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launched {
    /// How many they are.
    pub size: usize,
    /// How many of them are on this machine.
    pub here: usize,
    /// Which of those this is, from 0.
    pub nth_here: usize,
}

/// Why processes cannot train together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program was built without MPI.
    #[error(
        "started as one of {size} processes, but built without MPI: each would train by itself; build with the feature `mpi` (`cargo xtask setup mpi` installs what that needs), or start one"
    )]
    NotBuilt {
        /// How many were started.
        size: usize,
    },
    /// MPI does not begin.
    #[error("MPI does not begin: {reason}")]
    NotBegun {
        /// What stands in the way.
        reason: String,
    },
}

/// How this process was started side by side with others; nothing, if it was started by itself.
pub fn launched() -> Option<Launched> {
    launched_by(|name| std::env::var(name).ok())
}

fn launched_by(variable: impl Fn(&str) -> Option<String>) -> Option<Launched> {
    let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
    LAUNCHERS.iter().find_map(|[all, here, nth]| {
        let size = number(all).filter(|size| *size > 1)?;
        Some(Launched {
            size,
            here: number(here).unwrap_or(size).clamp(1, size),
            nth_here: number(nth).unwrap_or(0),
        })
    })
}

/// This process among those that were started with it; nothing, if it was started by itself.
///
/// # Errors
/// If there are others and they cannot be reached.
#[cfg(feature = "mpi")]
pub fn start() -> Result<Option<World>, Error> {
    match launched() {
        Some(_) => World::start().map(Some),
        None => Ok(None),
    }
}

/// This process among those that were started with it: never, as the crate was built without MPI.
#[cfg(not(feature = "mpi"))]
#[derive(Clone, Debug)]
pub enum World {}

#[cfg(not(feature = "mpi"))]
impl World {
    /// Which of them this is.
    pub fn rank(&self) -> usize {
        match *self {}
    }

    /// Passed on to what trains.
    pub fn together(&self) -> sensorium_train::Together {
        match *self {}
    }

    /// Ends all of them.
    pub fn abort(&self, _code: i32) {
        match *self {}
    }
}

/// This process among those that were started with it; nothing, if it was started by itself.
///
/// # Errors
/// If there are others: they cannot be reached without MPI.
#[cfg(not(feature = "mpi"))]
pub fn start() -> Result<Option<World>, Error> {
    match launched() {
        Some(Launched { size, .. }) => Err(Error::NotBuilt { size }),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_understood_and_one_process_is_none() {
        let told = |pairs: &'static [(&str, &str)]| {
            launched_by(|name| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let launched = |size, here, nth_here| {
            Some(Launched {
                size,
                here,
                nth_here,
            })
        };
        assert_eq!(told(&[]), None);
        let open = &[
            ("OMPI_COMM_WORLD_SIZE", "4"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "2"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
        ];
        assert_eq!(told(open), launched(4, 2, 1));
        assert_eq!(told(&[("PMI_SIZE", "3")]), launched(3, 3, 0));
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "1")]), None);
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "many")]), None);
        let intel = &[
            ("PMI_SIZE", "2"),
            ("MPI_LOCALNRANKS", "0"),
            ("MPI_LOCALRANKID", "1"),
        ];
        assert_eq!(told(intel), launched(2, 1, 1));
    }
}
