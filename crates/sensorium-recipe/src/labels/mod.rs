//! What a label is: one class, one of classes with an order, any number of classes, numbers, or a text. Whatever depends on it stands here: how a
//! row's cell is read, how wide a model's head is, what its answers are, and by what they are judged.

mod answers;
mod numbers;
mod scores;
mod texts;

use std::path::Path;

use sensorium_core::seed;
use sensorium_data::{Labels, Row, Rows, SEPARATOR};

use crate::{Error, Recipe};

pub(crate) use answers::GIVEN;
pub use answers::{Answer, WrittenAnswer};
pub use numbers::{Distance, Numbers, Scale};
pub use texts::Texts;

/// Which kind of label an objective learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabelKind {
    /// One class of many.
    Class,
    /// One class of many that have an order.
    Ordered,
    /// Any number of classes.
    Several,
    /// One or several numbers.
    Numbers,
    /// A text.
    Text,
}

impl LabelKind {
    /// Whether a label names one class.
    pub(crate) fn is_class(self) -> bool {
        matches!(self, Self::Class | Self::Ordered)
    }
}

/// What a row's label says.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// The class at this place.
    Class(usize),
    /// Which of the classes hold, in their order.
    Several(Box<[bool]>),
    /// Numbers as they stand in the data.
    Numbers(Box<[f64]>),
    /// A text as it stands there.
    Text(Box<str>),
}

/// The labels that a data set has, or that a model answers with.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelSet {
    /// One of these classes.
    Classes(Labels),
    /// One of these classes, which stand in their order.
    Ordered(Labels),
    /// Any number of these classes.
    Several {
        /// All of them.
        labels: Labels,
        /// What stands between those that a cell names.
        separator: String,
    },
    /// Numbers.
    Numbers(Numbers),
    /// Texts.
    Texts(Texts),
}

impl LabelSet {
    /// The labels of a recipe's rows; none where nothing is learned of them.
    ///
    /// # Errors
    /// If no row has one, or they are too few.
    pub fn of_rows(recipe: &Recipe, rows: &Rows) -> Result<Option<Self>, Error> {
        let Some(kind) = recipe.objective.kind.labels() else {
            return Ok(None);
        };
        if kind == LabelKind::Numbers {
            return Ok(Some(Self::Numbers(Numbers::of_rows(recipe, rows)?)));
        }
        if kind == LabelKind::Text {
            return Ok(Some(Self::Texts(Texts::of_rows())));
        }
        let labels = match (&recipe.data.labels, kind) {
            (Some(names), _) => Labels::given(names.clone())?,
            (None, LabelKind::Several) => Labels::from_lists(rows, &separator(recipe))?,
            (None, _) => Labels::from_rows(rows)?,
        };
        Self::known(recipe, labels).map(Some)
    }

    /// The labels of a model that exists in a folder.
    ///
    /// # Errors
    /// If there are none, too few, numbers that nothing can be scaled by, or no vocabulary for texts.
    pub fn saved(
        recipe: &Recipe,
        dir: &Path,
        names: &[String],
        scales: &[Scale],
    ) -> Result<Option<Self>, Error> {
        match recipe.objective.kind.labels() {
            None => Ok(None),
            Some(LabelKind::Numbers) => {
                let numbers = Numbers::saved(recipe, scales.to_vec())?;
                Ok(Some(Self::Numbers(numbers)))
            }
            Some(LabelKind::Text) => Texts::open(recipe, dir).map(|texts| Some(Self::Texts(texts))),
            Some(_) => Self::known(recipe, Labels::given(names.to_vec())?).map(Some),
        }
    }

    fn known(recipe: &Recipe, labels: Labels) -> Result<Self, Error> {
        match recipe.objective.kind.labels() {
            Some(LabelKind::Ordered) if labels.names().len() < 2 => Err(Error::Recipe {
                place: "data.labels".to_owned(),
                message: format!(
                    "there is one class, {:?}, and nothing to put in order: objective.kind = {:?} needs two at least",
                    labels.names()[0],
                    recipe.objective.kind.name()
                ),
            }),
            Some(LabelKind::Ordered) => Ok(Self::Ordered(labels)),
            Some(LabelKind::Several) => Ok(Self::Several {
                labels,
                separator: separator(recipe),
            }),
            _ => Ok(Self::Classes(labels)),
        }
    }

    /// Writes what a model's configuration does not say into its folder.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), Error> {
        match self {
            Self::Texts(texts) => texts.save(dir),
            _ => Ok(()),
        }
    }

    /// The classes in their order; of numbers and texts none.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Classes(labels) | Self::Ordered(labels) | Self::Several { labels, .. } => {
                labels.names()
            }
            Self::Numbers(_) | Self::Texts(_) => &[],
        }
    }

    /// How numbers are scaled; of classes nothing.
    pub fn scales(&self) -> &[Scale] {
        match self {
            Self::Numbers(numbers) => &numbers.scales,
            _ => &[],
        }
    }

    /// How many numbers a model's head gives; of one that writes, a token's logits.
    pub fn width(&self) -> usize {
        match self {
            Self::Classes(labels) | Self::Several { labels, .. } => labels.names().len(),
            // One for each step from a class to the next.
            Self::Ordered(labels) => labels.names().len() - 1,
            Self::Numbers(numbers) => numbers.scales.len(),
            Self::Texts(texts) => texts.processor().tokenizer().vocab_size(),
        }
    }

    /// A row's label.
    ///
    /// # Errors
    /// If it has none, or one that is none of these.
    pub(crate) fn of(&self, row: &Row) -> Result<Label, sensorium_data::Error> {
        match self {
            Self::Classes(labels) | Self::Ordered(labels) => labels.index_of(row).map(Label::Class),
            Self::Several { labels, separator } => labels
                .held(row, separator)
                .map(|held| Label::Several(held.into())),
            Self::Numbers(numbers) => numbers
                .of(row)
                .map(|numbers| Label::Numbers(numbers.into())),
            Self::Texts(_) => match &row.label {
                Some(text) => Ok(Label::Text(text.as_str().into())),
                None => Err(sensorium_data::Error::Label {
                    place: row.place.to_string(),
                    reason: "the row has no text that is to be written".to_owned(),
                }),
            },
        }
    }
}

/// What stands between the parts of a label cell.
fn separator(recipe: &Recipe) -> String {
    let separator = &recipe.data.columns.label_separator;
    separator.as_deref().unwrap_or(SEPARATOR).to_owned()
}

impl Label {
    /// Numbers that tell this label from others.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        match self {
            Self::Class(class) => vec![*class as u64],
            Self::Several(held) => held.iter().map(|held| u64::from(*held)).collect(),
            Self::Numbers(numbers) => numbers.iter().map(|number| number.to_bits()).collect(),
            Self::Text(text) => vec![seed::of_name(text)],
        }
    }
}
