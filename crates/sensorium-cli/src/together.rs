//! A command that was started several times side by side, by `mpirun` or a cluster's scheduler, to do one thing together.

use std::time::Duration;

use sensorium_mpi::{Launched, World};
use sensorium_recipe::Options;
use sensorium_runtime::{Backend, Opened};
use sensorium_train::Together;

/// What the others are given to end by themselves, before one says that it failed: what is wrong for all is said by rank 0.
const PATIENCE: Duration = Duration::from_millis(500);

/// The others, if there are any.
pub struct Others(Option<World>);

impl Others {
    /// Finds them.
    ///
    /// # Errors
    /// If they cannot be reached.
    pub fn find() -> anyhow::Result<Self> {
        let world = sensorium_mpi::start()?;
        if let Some(Launched { here, .. }) = sensorium_mpi::launched() {
            // All on one machine share its cores. A pool that is there already was made by who knows better.
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let threads = rayon::ThreadPoolBuilder::new().num_threads((cores / here).max(1));
            let _ = threads.build_global();
        }
        Ok(Self(world))
    }

    /// Opens a device for this one: where there are several GPUs, each process on a machine has another.
    ///
    /// # Errors
    /// As [`sensorium_runtime::open`].
    pub fn open(&self, backend: Backend) -> Result<Opened, sensorium_runtime::Error> {
        let nth_here = sensorium_mpi::launched().map_or(0, |launched| launched.nth_here);
        sensorium_runtime::choose_nth(backend, nth_here)
    }

    /// All of them, this one too.
    fn together(&self) -> Together {
        self.0
            .as_ref()
            .map_or_else(Together::default, World::together)
    }

    /// How they do something on a device together.
    pub fn options<'a>(&self, opened: &'a Opened) -> Options<'a> {
        Options {
            ranks: self.together(),
            ..Options::new(&opened.device, opened.found.backend.to_string())
        }
    }

    /// What they do it on, for people, and how many they are unless one is alone.
    pub fn place(&self, opened: &Opened) -> String {
        let found = &opened.found;
        let together = match self.together().size() {
            1 => String::new(),
            size => format!(", {size} processes together"),
        };
        format!("{}: {}{together}", found.backend, found.name)
    }

    /// Whether this one tells people what is done.
    pub fn tells(&self) -> bool {
        self.0.as_ref().is_none_or(|world| world.rank() == 0)
    }

    /// Hands on what was done. After a failure all are ended, as they would wait for this one for ever.
    pub fn done<T>(self, done: anyhow::Result<T>) -> anyhow::Result<T> {
        let (Err(error), Some(world)) = (&done, &self.0) else {
            return done;
        };
        let rank = match world.rank() {
            0 => String::new(),
            rank => {
                std::thread::sleep(PATIENCE);
                format!("rank {rank}: ")
            }
        };
        eprintln!("error: {rank}{}", crate::one_line(error));
        world.abort(i32::from(crate::exit_code(error)));
        done
    }
}
