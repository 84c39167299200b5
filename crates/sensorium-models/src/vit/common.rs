//! What the `config.json` of all vision transformers have in common: sizes of images and patches, and names of classes.

use std::collections::BTreeMap;

use crate::Error;
use crate::error::{need, size};

/// The most places a grid of patches may have; an image of 16,384 pixels in patches of 16 has as many.
pub(crate) const MOST_PLACES: usize = 1 << 20;

/// `[height, width]`, as `config.json` has them: one number for a square, or two. For `#[serde(with)]`.
pub(crate) mod sides {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(
        untagged,
        expecting = "a size must be a whole number, or two: [height, width]"
    )]
    enum Sides {
        Square(usize),
        Rectangle([usize; 2]),
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[usize; 2], D::Error> {
        Ok(match Sides::deserialize(from)? {
            Sides::Square(side) => [side; 2],
            Sides::Rectangle(sides) => sides,
        })
    }

    pub(crate) fn serialize<S: Serializer>(sides: &[usize; 2], to: S) -> Result<S::Ok, S::Error> {
        let [height, width] = *sides;
        if height == width {
            Sides::Square(height).serialize(to)
        } else {
            Sides::Rectangle(*sides).serialize(to)
        }
    }
}

/// Refuses images and patches that do not fit each other.
pub(crate) fn validate_image(
    file: &str,
    image_size: [usize; 2],
    patch_size: [usize; 2],
    channels: usize,
) -> Result<(), Error> {
    size(file, "num_channels", channels, 4096)?;
    for (image, patch) in image_size.into_iter().zip(patch_size) {
        size(file, "patch_size", patch, 4096)?;
        size(file, "image_size", image, 1 << 20)?;
        need(image >= patch, file, "image_size", || {
            format!("{image} must be at least patch_size = {patch}")
        })?;
    }
    let [rows, columns] = grid(image_size, patch_size);
    need(rows * columns <= MOST_PLACES, file, "image_size", || {
        format!("has {rows} x {columns} patches; {MOST_PLACES} in all are allowed")
    })
}

/// Rows and columns of patches; what does not fill a patch is left out.
pub(crate) fn grid(image_size: [usize; 2], patch_size: [usize; 2]) -> [usize; 2] {
    [image_size[0] / patch_size[0], image_size[1] / patch_size[1]]
}

/// Refuses heads among which the width cannot be divided.
pub(crate) fn validate_blocks(
    file: &str,
    d_model: usize,
    n_heads: usize,
    n_layers: usize,
) -> Result<(), Error> {
    size(file, "num_hidden_layers", n_layers, 512)?;
    size(file, "num_attention_heads", n_heads, 1024)?;
    size(file, "hidden_size", d_model, 65_536)?;
    need(d_model.is_multiple_of(n_heads), file, "hidden_size", || {
        format!("{d_model} must be a multiple of num_attention_heads = {n_heads}")
    })
}

/// Refuses what a norm cannot add.
pub(crate) fn validate_epsilon(file: &str, epsilon: f64) -> Result<(), Error> {
    need(
        epsilon > 0.0 && epsilon < 1.0,
        file,
        "layer_norm_eps",
        || format!("{epsilon} must be above 0 and below 1"),
    )
}

/// Names of classes by their place in the logits.
pub(crate) type Labels = Option<BTreeMap<usize, String>>;

/// Refuses names with a gap.
pub(crate) fn validate_labels(file: &str, labels: &Labels) -> Result<(), Error> {
    let Some(labels) = labels else { return Ok(()) };
    let counted = !labels.is_empty() && labels.keys().copied().eq(0..labels.len());
    need(counted, file, "id2label", || {
        "its ids must count from 0 without a gap".to_owned()
    })
}

/// The names in the order of the logits. Transformers assumes two where a file names none.
pub(crate) fn names(labels: &Labels) -> Vec<String> {
    match labels {
        Some(labels) => labels.values().cloned().collect(),
        None => (0..2).map(|id| format!("LABEL_{id}")).collect(),
    }
}

/// Names numbered in their order.
pub(crate) fn numbered(names: impl IntoIterator<Item = impl Into<String>>) -> Labels {
    Some(names.into_iter().map(Into::into).enumerate().collect())
}
