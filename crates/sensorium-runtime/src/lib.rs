//! The one crate that names a backend: flex, wgpu, libtorch or cuda, chosen at run time.
//!
//! Backends are features of this crate alone, so a library never decides for its users which one runs. A binary turns
//! features on, and [`open`] picks one by name while the program runs. This crate must never know what is computed: no
//! model, no modality, no recipe.
//!
//! ```
//! use burn::tensor::Tensor;
//! use sensorium_runtime::{Backend, open};
//!
//! let device = open("flex".parse::<Backend>()?)?;
//! let sum: f32 = Tensor::<1>::from_floats([1.0, 2.0], &device).sum().into_scalar();
//! assert_eq!(sum, 3.0);
//! # Ok::<(), sensorium_runtime::Error>(())
//! ```
//!
//! | name | feature | for |
//! |---|---|---|
//! | `flex` | `flex` (default) | any machine, nothing to install |
//! | `wgpu` | `wgpu` | any GPU: Vulkan, Metal, DX12; `wgpu-autotune` tunes each kernel at its first use |
//! | `libtorch` | `libtorch` | PyTorch's kernels; needs libtorch 2.9 on the machine |
//! | `cuda` | `cuda` | NVIDIA, through CubeCL |
//! | `auto` | | the fastest present: cuda, wgpu on a real GPU, libtorch, flex |

mod backend;
mod cuda;
mod driver;
mod error;
mod flex;
mod libtorch;
mod open;
mod survey;
mod wgpu;

pub use backend::Backend;
pub use error::Error;
pub use open::{Opened, choose, choose_nth, host, open};
pub use survey::{Found, Kind, Missing, compiled, devices, missing};
