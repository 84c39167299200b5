//! LLaVA 1.5: images seen by a CLIP, each patch mapped into the text (arXiv 2304.08485, 2310.03744).

mod config;
mod projector;
mod vision;

pub use config::LlavaImagesConfig;
pub use projector::MlpProjector;
pub use vision::LlavaVisionModel;

/// What stands for an image in a prompt, which becomes `n_tokens` vectors.
pub fn image_text(n_tokens: usize) -> String {
    "<image>".repeat(n_tokens)
}
