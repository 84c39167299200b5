//! Learning from few labels and many samples without: pseudo-labels, agreement of a model with itself, and a guard.

mod collapse;
mod consistency;
mod fix_match;
mod flex_match;
mod learning_status;
mod mean_teacher;
mod parts;
mod pseudo;

pub use collapse::{Collapse, CollapseDetector, StopOnCollapse};
pub use consistency::{Consistency, ramp_up};
pub use fix_match::{FixMatch, SemiLogits};
pub use flex_match::{FlexMatch, FlexTarget};
pub use learning_status::LearningStatus;
pub use mean_teacher::MeanTeacher;
pub use parts::SemiParts;
pub use pseudo::PseudoLabels;
