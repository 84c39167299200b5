//! Manifests, class folders, splits, a parallel pipeline, and the data sets that come with the program: `av-digits`,
//! `scenes` and `riddles`.
//!
//! Hands out content that has not been decoded ([`Source`](sensorium_core::Source)): knows no tensor and no
//! modality but by the name of its column.
//!
//! ```
//! use sensorium_data::{Columns, Labels, OnError, SplitConfig, Take, open};
//!
//! let dir = tempfile::tempdir()?;
//! let manifest = dir.path().join("pets.csv");
//! std::fs::write(&manifest, "text,label\nit purrs,cat\nit barks,dog\nit meows,cat\nit howls,dog\n")?;
//!
//! let columns = Columns::default().for_modalities(["text", "image"].into_iter());
//! let table = open(&manifest, &columns, OnError::Fail)?.table;
//! let labels = Labels::from_rows(&table.rows)?;
//! assert_eq!(labels.names(), ["cat", "dog"]);
//! let splits = SplitConfig { valid: Take::Share(0.0), test: Take::Share(0.5), ..Default::default() }.split(&table.rows, 7)?;
//! assert_eq!((splits.train.len(), splits.test.len()), (2, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alike;
#[cfg(feature = "av-digits")]
pub mod av_digits;
mod columns;
mod convert;
mod error;
mod few;
mod labels;
mod listing;
mod open;
mod order;
mod parquet;
#[cfg(feature = "av-digits")]
pub mod phrases;
mod pipeline;
#[cfg(feature = "av-digits")]
pub mod riddles;
mod rows;
#[cfg(feature = "av-digits")]
pub mod scenes;
mod shards;
mod split;
mod table;
mod turns;
mod written;

pub use alike::{alike, padding};
pub use columns::{Columns, Holds, InputColumn};
pub use convert::{Converted, Target, convert};
pub use error::Error;
pub use few::{Few, Named};
pub use labels::{Labels, SEPARATOR, numbers};
pub use listing::{ListedColumn, Listing, NamePattern, Unfit, list};
pub use open::{LONGEST_LINE, MOST_ROWS, Opened, open, survey};
pub use order::{order, order_within};
pub use pipeline::{DEADLINE, InOrder, in_order};
pub use rows::{Iter, RowRef, Rows};
pub use split::{SplitConfig, Splits, Take};
pub use table::{BadRow, OnError, Place, Row, Split, Table};
pub use turns::turns;
pub use written::write_table;

/// Makes a data set.
#[cfg(feature = "av-digits")]
pub type Maker = fn() -> Result<Table, Error>;

/// The data sets that come with the program, by name.
#[cfg(feature = "av-digits")]
pub const BUILT_IN: [(&str, Maker); 7] = [
    ("av-digits", av_digits::embedded),
    ("scenes", scenes::captions),
    ("scenes-captions", scenes::sentences),
    ("scenes-qa", scenes::questions),
    ("scenes-digits", scenes::digits),
    ("riddles", riddles::riddles),
    ("phrases", phrases::phrases),
];

/// What makes the data set of this name, if one comes with the program.
#[cfg(feature = "av-digits")]
pub fn built_in(name: &str) -> Option<Maker> {
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    found.map(|(_, make)| *make)
}
