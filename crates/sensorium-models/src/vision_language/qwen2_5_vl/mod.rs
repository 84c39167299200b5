//! Qwen2.5-VL: images of any size seen patch by patch, most of them within windows (arXiv 2502.13923, section 2.1).

mod config;
mod groups;
mod projector;
mod vision;

pub use config::Qwen25VlImagesConfig;
pub use projector::MergeProjector;
pub use vision::Qwen25VlVisionModel;

/// What stands for an image in a prompt, between `<|vision_start|>` and `<|vision_end|>`: `grid` is
/// [`PatchedImage::grid`](sensorium_vision::PatchedImage::grid), of which `merge` x `merge` patches become one vector.
///
/// ```
/// use sensorium_models::vision_language::qwen2_5_vl::image_text;
///
/// assert_eq!(image_text([1, 2, 4], 2), "<|image_pad|><|image_pad|>");
/// ```
pub fn image_text(grid: [usize; 3], merge: usize) -> String {
    let patches: usize = grid.iter().product();
    "<|image_pad|>".repeat(patches / (merge * merge))
}
