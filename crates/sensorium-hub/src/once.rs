//! Maps of JSON in which no name stands twice: readers would silently keep the last of two, and not all keep the same.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::error::shown;

/// Entries by name.
pub(crate) struct Once<V>(pub(crate) BTreeMap<String, V>);

/// A value that may be read by its name.
pub(crate) trait Named: Sized {
    /// Reads the value of the entry `name`.
    fn read<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Self, A::Error>;
}

impl Named for String {
    fn read<'de, A: MapAccess<'de>>(_: &str, map: &mut A) -> Result<Self, A::Error> {
        map.next_value()
    }
}

impl<'de, V: Named> Deserialize<'de> for Once<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<V>(PhantomData<V>);

impl<'de, V: Named> Visitor<'de> for Entries<V> {
    type Value = Once<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once<V>, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if entries.contains_key(&name) {
                let twice = format!("{} stands there twice", shown(&name));
                return Err(de::Error::custom(twice));
            }
            let value = V::read(&name, &mut map)?;
            entries.insert(name, value);
        }
        Ok(Once(entries))
    }
}
