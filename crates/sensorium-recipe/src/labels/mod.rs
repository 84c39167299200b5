//! What a label is: one class, one of classes with an order, any number of classes, or numbers. Whatever depends on it stands here: how a
//! row's cell is read, how wide a model's head is, what its answers are, and by what they are judged.

mod answers;
mod numbers;
mod scores;

use sensorium_data::{Labels, Row, SEPARATOR};

use crate::{Error, Recipe};

pub use answers::Answer;
pub(crate) use answers::GIVEN;
pub use numbers::{Distance, Numbers, Scale};

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
    Several(Vec<bool>),
    /// Numbers as they stand in the data.
    Numbers(Vec<f64>),
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
}

impl LabelSet {
    /// The labels of a recipe's rows; none where nothing is learned of them.
    ///
    /// # Errors
    /// If no row has one, or they are too few.
    pub fn of_rows(recipe: &Recipe, rows: &[Row]) -> Result<Option<Self>, Error> {
        let Some(kind) = recipe.objective.kind.labels() else {
            return Ok(None);
        };
        if kind == LabelKind::Numbers {
            return Ok(Some(Self::Numbers(Numbers::of_rows(recipe, rows)?)));
        }
        let labels = match (&recipe.data.labels, kind) {
            (Some(names), _) => Labels::given(names.clone())?,
            (None, LabelKind::Several) => Labels::from_lists(rows, &separator(recipe))?,
            (None, _) => Labels::from_rows(rows)?,
        };
        Self::known(recipe, labels).map(Some)
    }

    /// The labels of a model that exists.
    ///
    /// # Errors
    /// If there are none, too few, or numbers that nothing can be scaled by.
    pub fn saved(
        recipe: &Recipe,
        names: &[String],
        scales: &[Scale],
    ) -> Result<Option<Self>, Error> {
        match recipe.objective.kind.labels() {
            None => Ok(None),
            Some(LabelKind::Numbers) => {
                let numbers = Numbers::saved(recipe, scales.to_vec())?;
                Ok(Some(Self::Numbers(numbers)))
            }
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

    /// The classes in their order; of numbers none.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Classes(labels) | Self::Ordered(labels) | Self::Several { labels, .. } => {
                labels.names()
            }
            Self::Numbers(_) => &[],
        }
    }

    /// How numbers are scaled; of classes nothing.
    pub fn scales(&self) -> &[Scale] {
        match self {
            Self::Numbers(numbers) => &numbers.scales,
            _ => &[],
        }
    }

    /// How many numbers a model's head gives.
    pub fn width(&self) -> usize {
        match self {
            Self::Classes(labels) | Self::Several { labels, .. } => labels.names().len(),
            // One for each step from a class to the next.
            Self::Ordered(labels) => labels.names().len() - 1,
            Self::Numbers(numbers) => numbers.scales.len(),
        }
    }

    /// A row's label.
    ///
    /// # Errors
    /// If it has none, or one that is none of these.
    pub(crate) fn of(&self, row: &Row) -> Result<Label, sensorium_data::Error> {
        match self {
            Self::Classes(labels) | Self::Ordered(labels) => labels.index_of(row).map(Label::Class),
            Self::Several { labels, separator } => labels.held(row, separator).map(Label::Several),
            Self::Numbers(numbers) => numbers.of(row).map(Label::Numbers),
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
        }
    }
}
