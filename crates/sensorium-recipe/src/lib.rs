//! Recipes as data: a TOML file says which data, encoders, fusion and training make a model; this crate
//! parses it strictly, builds the model, runs it, and keeps the run folder.
//!
//! It must never know a terminal: what a run is doing goes to an [`Observer`].
//!
//! ```no_run
//! use sensorium_recipe::{Options, Recipe, Silent, train};
//!
//! let recipe = Recipe::open("av-digits", &["train.epochs=2".to_owned()])?;
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let options = Options::new(&device, "flex");
//! let finished = train(recipe, None, &options, &mut Silent)?;
//! println!("{:?}", finished.metrics.accuracy());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod builtin;
mod claim;
mod content;
mod dataset;
mod encoder;
mod error;
mod evaluate;
mod export;
mod feed;
mod folder;
mod folds;
mod fusion;
mod how;
mod keys;
mod labels;
mod lazily;
mod listing;
mod merged;
pub mod modalities;
mod model;
mod objective;
mod observer;
mod parse;
mod place;
mod prepare;
mod pretext;
mod recipe;
mod registry;
mod report;
mod saved;
mod session;
mod shown;
mod survey;
mod sweep;
mod table;
mod validate;
mod variations;
mod writing;

pub use encoder::{EncoderOrTower, OrTower, OwnOrTower, Refused};
pub use error::Error;
pub use evaluate::Measure;
pub use feed::{
    Batching, Classes, Drawing, HostBatch, Labelled, Learning, Mix, Plan, Teaching, TrainFeed,
    Values,
};
pub use folder::{ModelConfig, RunFolder};
pub use folds::{LeftOut, LeftOutRun, holds_left_out, leave_out, resume_left_out};
pub use how::{How, Room, Wanted, When};
pub use labels::{Answer, Distance, Label, LabelSet, Numbers, Scale, Texts, WrittenAnswer};
pub use listing::{RunGlance, RunState, Score, runs_below};
pub use merged::merge;
pub use modalities::Samples;
pub use model::{RecipeModel, build};
pub use objective::{Negatives, ObjectiveConfig, ObjectiveKind, RegressionLoss};
pub use observer::{Observer, Silent};
pub use parse::nearest;
pub use prepare::{Prepared, Preparing, prepare};
pub use pretext::ZeroShotConfig;
pub use recipe::{BatchConfig, DataConfig, Recipe, ShuffleConfig};
pub use registry::{Refusal, Width};
pub use saved::{
    Described, Measured, MeasuredUnlabelled, Part, Prediction, RunEmbedder, SavedModel, Scored,
};
/// Raw content to ask a model about; re-exported so that users of this crate need no other.
pub use sensorium_core::Source;
pub use session::{
    Before, Beside, DrawnFrom, Finished, Options, Padding, Rehearsed, RunMetrics, rehearse, resume,
    train,
};
pub use survey::{Alike, InputSummary, Leak, Mixed, PartSummary, Spread, Survey, survey};
pub use sweep::{Setting, Space, Sweep, SweptRun, sweep};
pub use table::EncoderTable;
pub use variations::{NamedStage, Stage};
pub use writing::{
    Answering, AnyDecoder, Ask, DecoderConfig, DecoderKind, PrefixDecoder, TextModel,
};
