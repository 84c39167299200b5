//! Tables whose `kind` says which of their other keys count, as `[fusion]` and `[decoder]`: those are written, and no others may stand
//! there.

use serde::Serialize;
use serde::ser::{Error, SerializeMap, Serializer};
use toml::Table;

/// Writes the keys of `table` that count.
pub(crate) fn serialize<S: Serializer>(
    table: &impl Serialize,
    counts: impl Fn(&str) -> bool,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let all = serde_json::to_value(table).map_err(S::Error::custom)?;
    let mut map = serializer.serialize_map(None)?;
    let all = all.as_object().into_iter().flatten();
    for (key, value) in all.filter(|(key, _)| counts(key)) {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

/// Refuses a key of a recipe's table `name` that has no effect with its `kind`, which looks at `keys`.
pub(crate) fn check(name: &str, table: &Table, kind: &str, keys: &[&str]) -> Result<(), String> {
    let counts = |key: &str| key == "kind" || keys.contains(&key);
    match table.keys().find(|key| !counts(key)) {
        None => Ok(()),
        Some(key) => Err(format!(
            "{name}.{key} has no effect with {name}.kind = {kind:?}: remove it; {kind} looks at {}",
            keys.join(", ")
        )),
    }
}
