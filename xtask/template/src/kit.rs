//! What a recipe needs to know of this modality.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_core::{Modality, ModalityKit, Source};

use crate::{TemplateConfig, TemplateEncoder, TemplateError, TemplateProcessor};

/// Series of numbers.
pub const TEMPLATE: Modality = Modality("template");

/// Config, processor and encoder of the modality, for recipes.
#[derive(Clone, Copy, Debug)]
pub struct TemplateKit;

impl ModalityKit for TemplateKit {
    const MODALITY: Modality = TEMPLATE;
    type Config = TemplateConfig;
    type Processor = TemplateProcessor;
    type Encoder = TemplateEncoder;
    type Error = TemplateError;

    fn validate(config: &TemplateConfig) -> Result<(), TemplateError> {
        config.validate()
    }

    fn fit(
        config: &TemplateConfig,
        samples: &mut dyn Iterator<Item = Source>,
    ) -> Result<TemplateProcessor, TemplateError> {
        TemplateProcessor::fit(config, samples)
    }

    fn save(processor: &TemplateProcessor, dir: &Path) -> Result<(), TemplateError> {
        let path = state_file(dir);
        serde_json::to_vec_pretty(processor)
            .map_err(std::io::Error::from)
            .and_then(|json| std::fs::write(&path, json))
            .map_err(|error| broken(&path, &error))
    }

    fn open(config: &TemplateConfig, dir: &Path) -> Result<TemplateProcessor, TemplateError> {
        let path = state_file(dir);
        let json = std::fs::read(&path).map_err(|error| broken(&path, &error))?;
        let processor: TemplateProcessor =
            serde_json::from_slice(&json).map_err(|error| broken(&path, &error))?;
        if !processor.fits(config) {
            return Err(broken(&path, &"does not fit the model's config"));
        }
        Ok(processor)
    }

    fn encoder(
        config: &TemplateConfig,
        processor: &TemplateProcessor,
        device: &Device,
    ) -> Result<TemplateEncoder, TemplateError> {
        Ok(TemplateEncoder::new(config, processor.patch_len(), device))
    }
}

fn state_file(dir: &Path) -> PathBuf {
    dir.join("template.json")
}

fn broken(path: &Path, reason: &dyn std::fmt::Display) -> TemplateError {
    TemplateError::State {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_saved_and_opened() {
        let config = TemplateConfig::debug();
        let sources = [Source::text("1 2 3.5")];
        let processor = TemplateKit::fit(&config, &mut sources.iter().cloned()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        TemplateKit::save(&processor, dir.path()).unwrap();
        assert_eq!(TemplateKit::open(&config, dir.path()).unwrap(), processor);

        let other = TemplateConfig {
            patch_rows: 3,
            ..config.clone()
        };
        let message = TemplateKit::open(&other, dir.path())
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("does not fit the model's config"),
            "{message}"
        );
    }

    #[test]
    fn missing_or_broken_state_is_named() {
        let config = TemplateConfig::debug();
        let dir = tempfile::tempdir().unwrap();
        let message = TemplateKit::open(&config, dir.path())
            .unwrap_err()
            .to_string();
        assert!(message.contains("template.json"), "{message}");
        std::fs::write(dir.path().join("template.json"), "{\"patch_rows\": 2").unwrap();
        let message = TemplateKit::open(&config, dir.path())
            .unwrap_err()
            .to_string();
        assert!(message.contains("template.json"), "{message}");
    }
}
