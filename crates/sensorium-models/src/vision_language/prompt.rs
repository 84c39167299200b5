//! A prompt with what stands for its images.

use crate::Error;

/// A prompt in which each placeholder is what stands for an image: the first for the first, and so on.
///
/// ```
/// use sensorium_models::vision_language::{expand, llava};
///
/// let prompt = expand("USER: <image>\nWhat is it?", "<image>", &[llava::image_text(3)])?;
/// assert_eq!(prompt, "USER: <image><image><image>\nWhat is it?");
/// # Ok::<(), sensorium_models::Error>(())
/// ```
///
/// # Errors
/// [`Error::Images`] if there are more or fewer placeholders than images.
pub fn expand(prompt: &str, placeholder: &str, images: &[String]) -> Result<String, Error> {
    let mut parts = prompt.split(placeholder);
    let places = parts.clone().count() - 1;
    if places != images.len() {
        return Err(Error::Images {
            problem: format!(
                "places for images in the prompt ({placeholder}): {places}; images given: {}",
                images.len()
            ),
        });
    }
    let first = parts.next().unwrap_or_default().to_owned();
    Ok(images
        .iter()
        .zip(parts)
        .fold(first, |text, (image, part)| text + image + part))
}
