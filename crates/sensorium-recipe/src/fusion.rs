//! The table `[fusion]`: each kind looks at some of its keys, and the others must not stand there.

use sensorium_fusion::{FusionConfig, FusionKind};
use serde::ser::Serializer;
use toml::{Table, Value};

use crate::keys;

/// Writes the keys that count.
pub(crate) fn serialize<S: Serializer>(
    fusion: &FusionConfig,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    keys::serialize(fusion, |key| fusion.kind.looks_at(key), serializer)
}

/// Refuses a key of a recipe's `[fusion]` that has no effect with its kind.
pub(crate) fn check_keys(recipe: &Table) -> Result<(), String> {
    let Some(Value::Table(table)) = recipe.get("fusion") else {
        return Ok(());
    };
    let named = table.get("kind").and_then(Value::as_str);
    let kind = FusionKind::ALL
        .iter()
        .find(|kind| Some(kind.name()) == named);
    let kind = kind.copied().unwrap_or_default();
    // The first is `kind` itself.
    let own: Vec<&str> = kind.keys().skip(1).collect();
    keys::check("fusion", table, kind.name(), &own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_written_where_it_counts_and_read_again() {
        for kind in FusionKind::ALL {
            let fusion: FusionConfig =
                toml::from_str(&format!("kind = {:?}\nmain = \"text\"", kind.name())).unwrap();
            let json = serialize(&fusion, serde_json::value::Serializer).unwrap();
            let written: Vec<&String> = json.as_object().unwrap().keys().collect();
            // Those that stand for "as the method does" are left out.
            let left_out = ["d_ff", "n_latents"];
            for key in kind.keys().filter(|key| !left_out.contains(key)) {
                assert!(written.iter().any(|w| *w == key), "{}: {key}", kind.name());
            }
            assert!(written.iter().all(|key| kind.looks_at(key)));
            let back: FusionConfig = serde_json::from_value(json).unwrap();
            let main = kind.looks_at("main").then(|| "text".to_owned());
            assert_eq!(back, FusionConfig { main, ..fusion });
        }
    }

    #[test]
    fn a_key_without_effect_is_refused_for_every_kind() {
        for kind in FusionKind::ALL {
            let check = |key: &str| {
                let text = format!("[fusion]\nkind = {:?}\n{key} = 1", kind.name());
                check_keys(&text.parse::<Table>().unwrap())
            };
            assert!(kind.keys().skip(1).all(|key| check(key).is_ok()));
            let wrong = check("n_tokens").unwrap_err();
            let start = format!(
                "fusion.n_tokens has no effect with fusion.kind = {:?}: remove it",
                kind.name()
            );
            assert!(wrong.starts_with(&start), "{wrong}");
        }
    }
}
