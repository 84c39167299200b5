//! The recipes that are compiled in, and the checkpoint that one of them begins with.

use sensorium_hub::{Checkpoint, Error, RemoteOptions};

const RECIPES: &[(&str, &str)] = &[
    ("av-digits", include_str!("../recipes/av-digits.toml")),
    ("caption", include_str!("../recipes/caption.toml")),
    ("clip-digits", include_str!("../recipes/clip-digits.toml")),
    ("contrastive", include_str!("../recipes/contrastive.toml")),
    ("joint", include_str!("../recipes/joint.toml")),
    ("lora", include_str!("../recipes/lora.toml")),
    ("mae", include_str!("../recipes/mae.toml")),
    ("mlm", include_str!("../recipes/mlm.toml")),
    ("semi", include_str!("../recipes/semi.toml")),
    ("simclr", include_str!("../recipes/simclr.toml")),
    (
        "spoken-digits",
        include_str!("../recipes/spoken-digits.toml"),
    ),
    ("translate", include_str!("../recipes/translate.toml")),
    ("vqa", include_str!("../recipes/vqa.toml")),
];

/// A CLIP of random weights, as small as it goes: `tools/parity/models/tiny_clip.py` made it.
const TINY_CLIP: &str = "tiny-clip";

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../recipes/tiny-clip/", $name)),
        )
    };
}

const TINY_CLIP_FILES: [(&str, &[u8]); 5] = [
    file!("config.json"),
    file!("model.safetensors"),
    file!("preprocessor_config.json"),
    file!("tokenizer.json"),
    file!("tokenizer_config.json"),
];

/// The checkpoint of this name if it is compiled in, and else that folder or model of the hub.
///
/// # Errors
/// If it is neither, or its files cannot be put where they can be read.
pub fn checkpoint(from: &str, options: &RemoteOptions) -> Result<Checkpoint, Error> {
    match from {
        TINY_CLIP => Checkpoint::embedded(TINY_CLIP, &TINY_CLIP_FILES),
        from => Checkpoint::open_with(from, options),
    }
}

/// The text of a built-in recipe.
pub fn text(name: &str) -> Option<&'static str> {
    RECIPES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// The names of the built-in recipes.
pub fn names() -> Vec<&'static str> {
    RECIPES.iter().map(|(name, _)| *name).collect()
}
