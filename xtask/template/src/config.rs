//! What a recipe's table `[encoders.template]` may hold.

use serde::{Deserialize, Serialize};

use crate::TemplateError;

/// Sizes of the encoder, and how series are cut into patches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateConfig {
    /// Rows in a patch; a patch becomes a token.
    pub patch_rows: usize,
    /// The longest series, in rows; longer ones are refused.
    pub max_rows: usize,
    /// Width of the tokens.
    pub d_model: usize,
    /// Attention heads; they divide `d_model`.
    pub n_heads: usize,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Share of features dropped in training, from 0 to below 1.
    pub dropout: f64,
}

impl Default for TemplateConfig {
    fn default() -> Self {
        Self {
            patch_rows: 4,
            max_rows: 1024,
            d_model: 64,
            n_heads: 4,
            n_layers: 2,
            dropout: 0.0,
        }
    }
}

impl TemplateConfig {
    /// Small enough for tests.
    pub fn debug() -> Self {
        Self {
            patch_rows: 2,
            max_rows: 16,
            d_model: 16,
            n_heads: 2,
            n_layers: 1,
            dropout: 0.0,
        }
    }

    /// The most tokens a sample can have.
    pub fn max_tokens(&self) -> usize {
        self.max_rows.div_ceil(self.patch_rows)
    }

    /// Refuses sizes that cannot work.
    ///
    /// # Errors
    /// [`TemplateError::Config`] with the key.
    pub fn validate(&self) -> Result<(), TemplateError> {
        let refuse = |key, reason: String| Err(TemplateError::Config { key, reason });
        for (key, value) in [
            ("patch_rows", self.patch_rows),
            ("max_rows", self.max_rows),
            ("d_model", self.d_model),
            ("n_heads", self.n_heads),
            ("n_layers", self.n_layers),
        ] {
            if value == 0 {
                return refuse(key, "is 0, but must be at least 1".to_owned());
            }
        }
        if !self.d_model.is_multiple_of(self.n_heads) {
            let reason = format!(
                "{} does not divide d_model = {}",
                self.n_heads, self.d_model
            );
            return refuse("n_heads", reason);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let reason = format!("{} is not between 0 and 1", self.dropout);
            return refuse("dropout", reason);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid() {
        TemplateConfig::default().validate().unwrap();
        TemplateConfig::debug().validate().unwrap();
    }

    #[test]
    fn a_size_that_cannot_work_is_named() {
        let config = TemplateConfig::debug();
        for (config, key) in [
            (
                TemplateConfig {
                    patch_rows: 0,
                    ..config.clone()
                },
                "patch_rows",
            ),
            (
                TemplateConfig {
                    n_heads: 3,
                    ..config.clone()
                },
                "n_heads",
            ),
            (
                TemplateConfig {
                    dropout: 1.0,
                    ..config.clone()
                },
                "dropout",
            ),
            (
                TemplateConfig {
                    dropout: f64::NAN,
                    ..config.clone()
                },
                "dropout",
            ),
        ] {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(key), "{message}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let parsed = serde_json::from_str::<TemplateConfig>(r#"{"d_model": 32, "patch": 4}"#);
        assert!(parsed.unwrap_err().to_string().contains("patch"));
        let parsed: TemplateConfig = serde_json::from_str(r#"{"d_model": 32}"#).unwrap();
        assert_eq!(parsed.d_model, 32);
        assert_eq!(parsed.n_heads, TemplateConfig::default().n_heads);
    }
}
