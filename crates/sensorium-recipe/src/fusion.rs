//! The table `[fusion]`: each kind looks at some of its keys, and the others must not stand there.

use sensorium_fusion::{FusionConfig, FusionKind};
use serde::ser::{Error, SerializeMap, Serializer};
use toml::{Table, Value};

/// Every key in order, and whether it counts for pooled fusions and for the transformer.
const KEYS: [(&str, bool, bool); 8] = [
    ("kind", true, true),
    ("d_model", true, true),
    ("pool", true, false),
    ("n_layers", false, true),
    ("n_heads", false, true),
    ("d_ff", false, true),
    ("dropout", false, true),
    ("drop_path", false, true),
];

fn keys(transformer: bool) -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter(move |(_, pooled, blocks)| if transformer { *blocks } else { *pooled })
        .map(|(key, ..)| *key)
}

/// Writes the keys that count.
pub(crate) fn serialize<S: Serializer>(
    fusion: &FusionConfig,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let all = serde_json::to_value(fusion).map_err(S::Error::custom)?;
    let mut map = serializer.serialize_map(None)?;
    for key in keys(fusion.kind == FusionKind::Transformer) {
        if let Some(value) = all.get(key).filter(|value| !value.is_null()) {
            map.serialize_entry(key, value)?;
        }
    }
    map.end()
}

/// Refuses a key of a recipe's `[fusion]` that has no effect with its kind.
pub(crate) fn check_keys(recipe: &Table) -> Result<(), String> {
    let Some(Value::Table(table)) = recipe.get("fusion") else {
        return Ok(());
    };
    let kind = table.get("kind").and_then(Value::as_str);
    let kind = kind.unwrap_or("transformer");
    let transformer = kind == "transformer";
    match table
        .keys()
        .find(|key| !keys(transformer).any(|k| k == key.as_str()))
    {
        None => Ok(()),
        Some(key) => Err(format!(
            "fusion.{key} has no effect with fusion.kind = {kind:?}: remove it; {kind} looks at {}",
            keys(transformer).skip(1).collect::<Vec<_>>().join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_known_and_written_where_it_counts() {
        for kind in ["concat", "gated", "transformer"] {
            let fusion: FusionConfig = toml::from_str(&format!("kind = \"{kind}\"")).unwrap();
            let json = serialize(&fusion, serde_json::value::Serializer).unwrap();
            let all = serde_json::to_value(&fusion).unwrap();
            for key in all.as_object().unwrap().keys() {
                assert!(KEYS.iter().any(|(known, ..)| known == key), "{key}");
            }
            let back: FusionConfig = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(back, fusion);
            assert_eq!(json.get("n_layers").is_some(), kind == "transformer");
            assert_eq!(json.get("pool").is_some(), kind != "transformer");
        }
    }
}
