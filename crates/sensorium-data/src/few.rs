//! A map of few entries: as large as what it holds. A tree takes half a kilobyte for its first entry, of each of a million rows.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

/// Values by name; rows of one table share the names.
pub type Named<V> = Few<Arc<str>, V>;

/// A map of few entries in the order of their keys. Reading is like that of other maps; an insertion moves all entries.
///
/// ```
/// use sensorium_data::Named;
///
/// let meta: Named<&str> = [("speaker", "ann"), ("room", "3")].into();
/// assert_eq!(meta["speaker"], "ann");
/// assert_eq!(meta.keys().map(|key| &**key).collect::<Vec<_>>(), ["room", "speaker"]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Few<K, V>(Box<[(K, V)]>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<K, V> Few<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<K: Ord, V> Few<K, V> {
    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.0.iter().find(|(known, _)| known.borrow() == key);
        entry.map(|(_, value)| value)
    }

    /// Whether a key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Gives a key a value, instead of the one that it has.
    pub fn insert(&mut self, key: impl Into<K>, value: impl Into<V>) {
        let entries = std::mem::take(&mut self.0).into_vec();
        let entries = entries.into_iter().chain([(key.into(), value.into())]);
        *self = Self::from_iter(entries);
    }
}

/// Of entries with the same key, the last counts.
impl<A: Into<K>, B: Into<V>, K: Ord, V> FromIterator<(A, B)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (A, B)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let entries = entries.map(|(key, value)| (key.into(), value.into()));
        let mut all: Vec<(K, V)> = entries.collect();
        if !all.is_sorted_by(|(one, _), (next, _)| one < next) {
            all.reverse();
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            all.dedup_by(|(later, _), (kept, _)| later == kept);
        }
        Self(all.into_boxed_slice())
    }
}

impl<A: Into<K>, B: Into<V>, K: Ord, V, const N: usize> From<[(A, B); N]> for Few<K, V> {
    fn from(entries: [(A, B); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> IntoIterator for Few<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Few<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (K, V)>, fn(&(K, V)) -> (&K, &V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl<Q: Ord + fmt::Debug + ?Sized, K: Ord + Borrow<Q>, V> Index<&Q> for Few<K, V> {
    type Output = V;

    /// # Panics
    /// If the key has no value.
    fn index(&self, key: &Q) -> &V {
        match self.get(key) {
            Some(value) => value,
            None => panic!("there is no value of {key:?}"),
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Few<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(entries in proptest::collection::vec((0u8..12, any::<u16>()), 0..24)) {
            let tree: BTreeMap<u8, u16> = entries.iter().copied().collect();
            let few: Few<u8, u16> = entries.iter().copied().collect();
            prop_assert!(few.iter().eq(tree.iter()));
            prop_assert_eq!(format!("{few:?}"), format!("{tree:?}"));
            let mut one_by_one = Few::<u8, u16>::default();
            for (key, value) in entries {
                one_by_one.insert(key, value);
            }
            prop_assert_eq!(&one_by_one, &few);
            for key in 0..12 {
                prop_assert_eq!(few.get(&key), tree.get(&key));
            }
            prop_assert!(few.into_iter().eq(tree));
        }
    }

    #[test]
    fn it_takes_no_more_than_what_it_holds() {
        assert_eq!(size_of::<Named<Arc<str>>>(), 16);
        let one: Named<u64> = [("a", 1u64)].into();
        assert_eq!(size_of_val(&*one.0), 24);
    }
}
