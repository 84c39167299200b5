//! What a published checkpoint calls our parameters, and how it lays them out.

use crate::Constant;
use crate::pattern::Pattern;

/// Our parameter paths → the names of a published family: written once, used to load and to save.
///
/// A rule names the beginning of one of our paths, by whole segments, and what stands there instead; `{}` is one segment
/// that is carried over. The first rule that fits counts, and a path that none fits is called the same there. Before that,
/// a path is brought into the form that checkpoints have: norms hold `weight` and `bias`, and [`Norm`]'s inner layer is
/// left out. Weights of Burn's `Linear` are `[in, out]` here and `[out, in]` there.
///
/// [`Norm`]: https://docs.rs/sensorium-core/latest/sensorium_core/nn/struct.Norm.html
///
/// ```
/// use sensorium_hub::KeyMap;
///
/// let map = KeyMap::new()
///     .rename("blocks.{}.attention.query", "layer.{}.attention.self.query")
///     .part(["head.query.weight", "head.key.weight"], "head.in_proj_weight")
///     .joined("blocks.{}.qkv", ["layer.{}.q", "layer.{}.k", "layer.{}.v"])
///     .scalar("logit_scale")
///     .ignore("embeddings.position_ids")
///     .prefixes(["", "bert."]);
/// assert_eq!(map.names("blocks.3.attention.query.bias"), ["layer.3.attention.self.query.bias"]);
/// assert_eq!(map.names("blocks.0.qkv.weight"), ["layer.0.q.weight", "layer.0.k.weight", "layer.0.v.weight"]);
/// assert_eq!(map.names("head.key.weight"), ["head.in_proj_weight"]);
/// assert_eq!(map.names("pooler.bias"), ["pooler.bias"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyMap {
    renames: Vec<(Pattern, Pattern)>,
    parts: Vec<(Vec<Pattern>, Pattern)>,
    joined: Vec<(Pattern, Vec<Pattern>)>,
    straight: Vec<Pattern>,
    scalars: Vec<Pattern>,
    ignored: Vec<Pattern>,
    formerly: Vec<(Pattern, Pattern)>,
    constants: Vec<(String, Constant)>,
    prefixes: Vec<String>,
}

/// Where a parameter's numbers are in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Their tensors: one, or several that follow each other along the output dimension.
    pub(crate) names: Vec<String>,
    /// Which of how many equal parts of the tensor along the output dimension it is.
    pub(crate) part: Option<(usize, usize)>,
}

impl KeyMap {
    /// All names are the same here and there.
    pub fn new() -> Self {
        Self::default()
    }

    /// What begins with `ours` begins with `theirs` there.
    #[must_use]
    pub fn rename(mut self, ours: &str, theirs: &str) -> Self {
        self.renames.push((ours.into(), theirs.into()));
        self
    }

    /// The same for many pairs.
    #[must_use]
    pub fn renames(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let pairs = pairs.into_iter();
        self.renames
            .extend(pairs.map(|(ours, theirs)| (ours.as_str().into(), theirs.as_str().into())));
        self
    }

    /// Several of ours are one tensor there: equal parts that follow each other along the output dimension, the first of
    /// theirs.
    #[must_use]
    pub fn part<S: AsRef<str>>(mut self, ours: impl IntoIterator<Item = S>, theirs: &str) -> Self {
        let ours = ours.into_iter().map(|ours| ours.as_ref().into()).collect();
        self.parts.push((ours, theirs.into()));
        self
    }

    /// One of ours is several tensors there, of which it is made along the output dimension.
    #[must_use]
    pub fn joined<S: AsRef<str>>(
        mut self,
        ours: &str,
        theirs: impl IntoIterator<Item = S>,
    ) -> Self {
        let theirs = theirs.into_iter().map(|one| one.as_ref().into()).collect();
        self.joined.push((ours.into(), theirs));
        self
    }

    /// Weights of `Linear` that are `[in, out]` there too, as GPT-2 has them.
    #[must_use]
    pub fn straight(mut self, ours: &str) -> Self {
        self.straight.push(ours.into());
        self
    }

    /// A number that has no dimension there, and one of length 1 here.
    #[must_use]
    pub fn scalar(mut self, ours: &str) -> Self {
        self.scalars.push(ours.into());
        self
    }

    /// Theirs that hold nothing of ours: buffers, copies of tied weights, heads that were only for training.
    #[must_use]
    pub fn ignore(mut self, theirs: &str) -> Self {
        self.ignored.push(theirs.into());
        self
    }

    /// What begins with `theirs` there, and began with `older` in checkpoints of another time. Saving writes `theirs`.
    #[must_use]
    pub fn formerly(mut self, theirs: &str, older: &str) -> Self {
        self.formerly.push((theirs.into(), older.into()));
        self
    }

    /// A tensor of theirs that holds nothing of ours, but that Python looks for: loading passes over it, and saving writes it.
    #[must_use]
    pub fn constant(mut self, theirs: &str, value: Constant) -> Self {
        self.constants.push((theirs.to_owned(), value));
        self
    }

    /// What may stand before all of their names, such as `bert.`; the one that fits most of a checkpoint is taken. Saving
    /// writes the first.
    #[must_use]
    pub fn prefixes<S: Into<String>>(mut self, prefixes: impl IntoIterator<Item = S>) -> Self {
        self.prefixes = prefixes.into_iter().map(Into::into).collect();
        self
    }

    /// The same map for a module that holds ours at `ours` and whose checkpoint holds theirs at `theirs`. Prefixes are
    /// dropped.
    #[must_use]
    pub fn nested(mut self, ours: &str, theirs: &str) -> Self {
        let place = |pattern: &mut Pattern, under: &str| *pattern = pattern.under(under);
        for (a, b) in &mut self.renames {
            place(a, ours);
            place(b, theirs);
        }
        for (a, b) in &mut self.parts {
            a.iter_mut().for_each(|a| place(a, ours));
            place(b, theirs);
        }
        for (a, b) in &mut self.joined {
            place(a, ours);
            b.iter_mut().for_each(|b| place(b, theirs));
        }
        let here = self.straight.iter_mut().chain(&mut self.scalars);
        here.for_each(|pattern| place(pattern, ours));
        self.ignored.iter_mut().for_each(|p| place(p, theirs));
        for (a, b) in &mut self.formerly {
            place(a, theirs);
            place(b, theirs);
        }
        if !theirs.is_empty() {
            let names = self.constants.iter_mut().map(|(name, _)| name);
            names.for_each(|name| *name = format!("{theirs}.{name}"));
        }
        self.prefixes.clear();
        // What no rule of its own names is under the other name as well.
        match ours {
            "" => self,
            _ => self.rename(ours, theirs),
        }
    }

    /// Both maps, for a module that holds what each is for; the rules of this one come first.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.renames.extend(other.renames);
        self.parts.extend(other.parts);
        self.joined.extend(other.joined);
        self.straight.extend(other.straight);
        self.scalars.extend(other.scalars);
        self.ignored.extend(other.ignored);
        self.formerly.extend(other.formerly);
        self.constants.extend(other.constants);
        self
    }

    /// Their names of one of our parameters, without a prefix: several where they are joined.
    pub fn names(&self, ours: &str) -> Vec<String> {
        self.place(ours).names
    }

    pub(crate) fn place(&self, ours: &str) -> Place {
        let part = self.parts.iter().find_map(|(parts, theirs)| {
            let mut parts_here = parts.iter().enumerate();
            let (index, name) =
                parts_here.find_map(|(i, one)| Some((i, one.renamed(ours, theirs)?)))?;
            Some((name, index, parts.len()))
        });
        if let Some((name, index, of)) = part {
            return Place {
                names: vec![name],
                part: Some((index, of)),
            };
        }
        let joined = self.joined.iter().find_map(|(one, theirs)| {
            let names = theirs.iter().map(|theirs| one.renamed(ours, theirs));
            names.collect::<Option<Vec<_>>>()
        });
        let names = joined.unwrap_or_else(|| {
            let mut renames = self.renames.iter();
            let renamed = renames.find_map(|(a, b)| a.renamed(ours, b));
            vec![renamed.unwrap_or_else(|| ours.to_owned())]
        });
        Place { names, part: None }
    }

    pub(crate) fn is_straight(&self, ours: &str) -> bool {
        self.straight.iter().any(|pattern| pattern.fits(ours))
    }

    pub(crate) fn is_scalar(&self, ours: &str) -> bool {
        self.scalars.iter().any(|pattern| pattern.fits(ours))
    }

    /// Whether a tensor of theirs is known to hold nothing of ours; with or without the prefix.
    pub(crate) fn is_ignored(&self, theirs: &str, prefix: &str) -> bool {
        let bare = theirs.strip_prefix(prefix).unwrap_or(theirs);
        let mut constants = self.constants.iter();
        self.ignored
            .iter()
            .any(|pattern| pattern.fits(theirs) || pattern.fits(bare))
            || constants.any(|(name, _)| name == bare)
    }

    /// What is written beside the parameters, by names without a prefix.
    pub(crate) fn constants(&self) -> &[(String, Constant)] {
        &self.constants
    }

    /// What one of their names was in older checkpoints, without a prefix.
    pub(crate) fn older(&self, theirs: &str) -> Option<String> {
        let mut formerly = self.formerly.iter();
        formerly.find_map(|(now, then)| now.renamed(theirs, then))
    }

    /// The prefix that most of these names have in a checkpoint, of those that may stand there.
    pub(crate) fn prefix(&self, names: &[&str], has: impl Fn(&str) -> bool) -> &str {
        let mut best = (self.saved_prefix(), 0);
        for prefix in &self.prefixes {
            let found = names.iter().filter(|name| has(&format!("{prefix}{name}")));
            let count = found.count();
            if count > best.1 {
                best = (prefix, count);
            }
        }
        best.0
    }

    /// What is written before all names.
    pub(crate) fn saved_prefix(&self) -> &str {
        self.prefixes.first().map_or("", String::as_str)
    }
}
