//! What all families' `config.json` have in common: how it is parsed, and the names of activations.

use sensorium_core::nn::Activation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// Parses a JSON value; `file` stands for it in messages.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, value: &Value) -> Result<T, Error> {
    // With the path, so that the message names the key.
    serde_path_to_error::deserialize(value).map_err(|error| Error::Json {
        file: file.to_owned(),
        reason: error.to_string(),
    })
}

/// Names of activations as `hidden_act` has them, for `#[serde(with)]`. The first name of each is written.
pub(crate) mod hidden_act {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::Activation;

    const NAMES: [(&str, Activation); 9] = [
        ("gelu", Activation::Gelu),
        ("gelu_python", Activation::Gelu),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_fast", Activation::GeluTanh),
        ("quick_gelu", Activation::QuickGelu),
        ("relu", Activation::Relu),
        ("silu", Activation::Silu),
        ("swish", Activation::Silu),
    ];

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Activation, D::Error> {
        let found = String::deserialize(from)?;
        let known = NAMES.iter().find(|(name, _)| *name == found);
        known.map(|(_, activation)| *activation).ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            D::Error::custom(format!("the activation `{found}` is not one of {names}"))
        })
    }

    pub(crate) fn serialize<S: Serializer>(value: &Activation, to: S) -> Result<S::Ok, S::Error> {
        let known = NAMES.iter().find(|(_, activation)| activation == value);
        to.serialize_str(known.map_or("gelu", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    #[derive(Debug, Serialize, Deserialize)]
    struct Acts {
        #[serde(with = "hidden_act")]
        hidden_act: Activation,
    }

    #[test]
    fn an_activation_is_read_and_written_by_the_published_name() {
        for (name, expected) in [
            ("gelu", Activation::Gelu),
            ("gelu_new", Activation::GeluTanh),
            ("quick_gelu", Activation::QuickGelu),
        ] {
            let acts: Acts = parse("config.json", &json!({"hidden_act": name})).unwrap();
            assert_eq!(acts.hidden_act, expected);
            let again: Acts = parse("config.json", &serde_json::to_value(&acts).unwrap()).unwrap();
            assert_eq!(again.hidden_act, expected);
        }
    }

    #[test]
    fn an_unknown_activation_is_named() {
        let error = parse::<Acts>("config.json", &json!({"hidden_act": "mish"})).unwrap_err();
        let message = error.to_string();
        assert!(
            message
                .starts_with("config.json: hidden_act: the activation `mish` is not one of gelu,"),
            "{message}"
        );
    }
}
