//! How a checkpoint and a module do not fit, told at once.

use std::fmt;

use crate::error::shown;

/// The most names of a kind that a message lists: more than published models have tensors.
const LISTED: usize = 2000;
/// Names are compared, for the nearest, up to this many pairs and this length: a file may hold any number of any length.
const COMPARED: usize = 200_000;
const LONGEST: usize = 256;

/// All that is missing, left over or of another shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Tensors that parameters ask for.
    pub missing: Vec<Missing>,
    /// Their tensors that nothing asks for.
    pub unused: Vec<String>,
    /// Tensors of another shape, or of no real numbers.
    pub unfit: Vec<Unfit>,
}

/// A tensor that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its published name.
    pub name: String,
    /// The name most like it among those that nothing asks for.
    pub nearest: Option<String>,
}

/// A tensor that is there and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub found: String,
    /// The shape that is wanted.
    pub expected: Vec<usize>,
}

impl Mismatch {
    /// Names the nearest of all that is `unused` for what is missing, and tells of those left over that are `told`.
    pub(crate) fn new(
        missing: Vec<String>,
        unfit: Vec<Unfit>,
        unused: &[String],
        told: &[String],
    ) -> Self {
        let compared = COMPARED / unused.len().max(1);
        let missing = missing.into_iter().enumerate();
        let missing = missing.map(|(i, name)| Missing {
            nearest: (i < compared).then(|| nearest(&name, unused)).flatten(),
            name,
        });
        Self {
            missing: missing.collect(),
            unused: told.to_vec(),
            unfit,
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.missing.is_empty() && self.unfit.is_empty() && self.unused.is_empty()
    }
}

fn nearest(missing: &str, unused: &[String]) -> Option<String> {
    // Names of a checkpoint are long and much alike; one that is far off says nothing.
    const ALIKE: f64 = 0.6;
    let short = unused.iter().filter(|name| name.len() <= LONGEST);
    let all = short.map(|name| {
        let likeness = strsim::normalized_damerau_levenshtein(missing, name);
        (likeness, name)
    });
    let best = all.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then(|| best.1.clone())
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.missing.len(), "missing"),
            (self.unfit.len(), "of another shape"),
            (self.unused.len(), "left over"),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        write!(f, "{}", counts.join(", "))?;
        list(f, &self.missing, |f, Missing { name, nearest }| {
            write!(f, "missing: {}", shown(name))?;
            match nearest {
                Some(nearest) => {
                    write!(f, " (there is {}, which nothing asks for)", shown(nearest))
                }
                None => Ok(()),
            }
        })?;
        list(f, &self.unfit, |f, unfit| {
            let Unfit {
                name,
                found,
                expected,
            } = unfit;
            write!(f, "unfit: {} {found}, not {expected:?}", shown(name))
        })?;
        list(f, &self.unused, |f, name| {
            write!(f, "left over: {}", shown(name))
        })
    }
}

/// Each on its own line, and how many more there are.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut one: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for item in items.iter().take(LISTED) {
        f.write_str("\n  ")?;
        one(f, item)?;
    }
    match items.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}
