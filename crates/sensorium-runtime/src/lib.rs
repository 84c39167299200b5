//! The one crate that names a backend: flex, wgpu, libtorch or cuda, chosen at run time.
//!
//! ```
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! # Ok::<(), sensorium_runtime::Error>(())
//! ```

mod backend;

pub use backend::{Backend, Error, open};
