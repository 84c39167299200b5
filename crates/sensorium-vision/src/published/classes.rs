//! What the classes that a file can name do where the file says nothing.

use super::file::Size;
use crate::{Filter, Normalize};

/// A class's defaults. All of them resize, rescale by 1/255 and normalise.
pub(super) struct Defaults {
    /// Whether a size that is one number is that of a square; if not, of the shorter side.
    pub square: bool,
    /// What pictures are resized to.
    pub size: Size,
    /// Height and width that are cut out of the centre, if any are.
    pub crop: Option<[usize; 2]>,
    /// How pixels are weighed.
    pub filter: Filter,
    /// Mean and deviation.
    pub normalize: Normalize,
    /// Whether the class makes pictures square first, where the file asks for padding.
    pub squares: bool,
}

/// What is known of a class.
pub(super) enum Class {
    /// Its defaults.
    Known(Defaults),
    /// It has steps of its own, that are not taken here.
    Other(&'static str),
    /// Nothing: the file must say everything.
    Unknown,
}

/// What is known of a class by its name, such as `CLIPImageProcessor`, `ViTFeatureExtractor` or
/// `SiglipImageProcessorFast`.
///
/// From Transformers 5.23, `models/*/image_processing_pil_*.py`; the same in 4.57.
pub(super) fn class(name: &str) -> Class {
    let Some(family) = family(name) else {
        return Class::Unknown;
    };
    let square = |side| Size::Exact([side; 2]);
    let clip = |square, size, crop| Defaults {
        square,
        size,
        crop,
        filter: Filter::Bicubic,
        normalize: Normalize::Clip,
        squares: false,
    };
    let half = |square, size, crop, filter| Defaults {
        square,
        size,
        crop,
        filter,
        normalize: Normalize::Half,
        squares: false,
    };
    let shorter = Size::Shortest {
        edge: 224,
        longest: None,
    };
    Class::Known(match family {
        "CLIP" | "ChineseCLIP" | "Bit" => clip(false, shorter, Some([224; 2])),
        "Llava" => Defaults {
            squares: true,
            ..clip(false, shorter, Some([224; 2]))
        },
        "Blip" => clip(true, square(384), None),
        "ViT" => half(true, square(224), None, Filter::Bilinear),
        "DeiT" => half(true, square(256), Some([224; 2]), Filter::Bicubic),
        "Siglip" => half(false, square(224), None, Filter::Bicubic),
        other => return own_steps(other),
    })
}

/// The family in a class's name: `Siglip` of `SiglipImageProcessorFast`.
pub(super) fn family(name: &str) -> Option<&str> {
    let base = ["Fast", "Pil"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let base = base.unwrap_or(name);
    ["ImageProcessor", "FeatureExtractor"]
        .iter()
        .find_map(|end| base.strip_suffix(end))
}

/// Classes whose files look complete, and yet something else is done.
fn own_steps(family: &str) -> Class {
    match family {
        "ConvNext" | "PoolFormer" => Class::Other("resizes to more than its size and crops it"),
        "Levit" => Class::Other("resizes to 256/224 of its size"),
        "EfficientNet" => Class::Other("normalises twice"),
        "MobileViT" => Class::Other("turns the order of the channels round"),
        "Siglip2" => Class::Other(
            "cuts pictures of any shape into patches; checkpoints of one fixed size name SiglipImageProcessor",
        ),
        "Idefics3" | "SmolVLM" => {
            Class::Other("cuts a picture into tiles, as TiledImageProcessor does")
        }
        "Qwen2VL" | "Qwen2_5_VL" => {
            Class::Other("cuts a picture into patches, as PatchedImageProcessor does")
        }
        "LlavaNext" | "LlavaOnevision" | "Idefics2" | "Pixtral" | "Gemma3" | "GotOcr2"
        | "Mllama" => Class::Other("cuts a picture into several, as many as its shape asks for"),
        _ => Class::Unknown,
    }
}
