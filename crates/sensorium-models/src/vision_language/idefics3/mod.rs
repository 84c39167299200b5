//! Idefics3 and SmolVLM: tiles seen by a SigLIP, sixteen patches or so put together into one vector (arXiv 2408.12637,
//! 2504.05299).

mod config;
mod projector;
mod vision;

pub use config::Idefics3ImagesConfig;
pub use projector::ShuffleProjector;
pub use vision::Idefics3VisionModel;
#[cfg(test)]
pub(crate) use vision::places;

/// What stands for an image in a prompt: its tiles row by row, each behind its place, and the whole image last; `grid` is
/// [`TiledImage::grid`](sensorium_vision::TiledImage::grid), and each tile becomes `n_tokens` vectors.
///
/// ```
/// use sensorium_models::vision_language::idefics3::image_text;
///
/// let one = "<fake_token_around_image><global-img><image><image><fake_token_around_image>";
/// assert_eq!(image_text([0, 0], 2), one);
/// ```
pub fn image_text(grid: [usize; 2], n_tokens: usize) -> String {
    const AROUND: &str = "<fake_token_around_image>";
    let tokens = "<image>".repeat(n_tokens);
    let whole = format!("{AROUND}<global-img>{tokens}{AROUND}");
    let [rows, columns] = grid;
    if rows == 0 {
        return whole;
    }
    let row = |row: usize| {
        let tile = |column: usize| format!("{AROUND}<row_{row}_col_{column}>{tokens}");
        (1..=columns).map(tile).collect::<String>() + "\n"
    };
    (1..=rows).map(row).collect::<String>() + "\n" + &whole
}
