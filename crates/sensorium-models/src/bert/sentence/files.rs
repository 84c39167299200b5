//! Names of a sentence encoder's files.

use std::path::{Component, Path};

pub(crate) const MODULES: &str = "modules.json";
pub(super) const PROMPTS: &str = "config_sentence_transformers.json";
pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The first that is there counts.
pub(super) const TOWER_SETTINGS: [&str; 4] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_camembert_config.json",
    "sentence_xlm-roberta_config.json",
];

/// A path below a folder, which may be the model's own.
pub(crate) fn join(folder: &str, file: &str) -> String {
    match folder.trim_end_matches('/') {
        "" => file.to_owned(),
        folder => format!("{folder}/{file}"),
    }
}

/// Whether a folder's path stays inside the model's folder.
pub(super) fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.contains('\\') && parts.all(|part| matches!(part, Component::Normal(_)))
}
