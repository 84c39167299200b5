//! Where the towers of CLIP, SigLIP and CLAP stand in a `config.json`: under a key of the whole model's file, or alone.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Error;
use crate::config;

/// The key of the text tower.
pub(crate) const TEXT: &str = "text_config";
/// The key of the vision tower.
pub(crate) const VISION: &str = "vision_config";
/// The key of the audio tower.
pub(crate) const AUDIO: &str = "audio_config";

const TOWERS: [&str; 3] = [TEXT, VISION, AUDIO];

/// The older key of a tower, which goes before the newer one.
fn legacy(tower: &str) -> String {
    format!("{tower}_dict")
}

/// How messages name the place of a tower in a whole model's file.
pub(crate) fn place(file: &str, tower: &str) -> String {
    format!("{file}: {tower}")
}

/// How messages name the place of a tower in a file of either kind.
pub(crate) fn place_in(file: &str, json: &Value, tower: &str) -> String {
    match find(json, tower) {
        Some((key, _)) => place(file, &key),
        None if is_whole(json) => place(file, tower),
        None => file.to_owned(),
    }
}

/// A tower, of a file of the whole model or of its own.
pub(crate) fn parse<T: DeserializeOwned>(
    file: &str,
    json: &Value,
    tower: &str,
) -> Result<T, Error> {
    let place = place_in(file, json, tower);
    match find(json, tower) {
        Some((_, found)) => config::parse(&place, found),
        // All keys as Transformers assumes them.
        None if is_whole(json) => config::parse(&place, &Value::Object(Map::new())),
        None => config::parse(&place, json),
    }
}

/// The whole model's file without its towers.
pub(crate) fn beside(json: &Value) -> Value {
    let mut json = json.clone();
    if let Value::Object(keys) = &mut json {
        for tower in TOWERS {
            keys.remove(tower);
            keys.remove(&legacy(tower));
        }
    }
    json
}

fn find<'a>(json: &'a Value, tower: &str) -> Option<(String, &'a Value)> {
    let keys = [legacy(tower), tower.to_owned()];
    keys.into_iter().find_map(|key| {
        let found = json.get(&key).filter(|found| !found.is_null())?;
        Some((key, found))
    })
}

/// Whether a file is of both towers.
pub(crate) fn is_whole(json: &Value) -> bool {
    let kind = json.get("model_type").and_then(Value::as_str);
    let whole = matches!(kind, Some("clip" | "siglip" | "clap"));
    whole || TOWERS.iter().any(|tower| json.get(tower).is_some())
}
