//! Whatever a configuration says, it is refused or can be written again; activations have their published names.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::sample::Index;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::bert::BertKind;
use crate::causal::{Gpt2Config, LlamaConfig};

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
        message.starts_with("config.json: hidden_act: the activation `mish` is not one of gelu,"),
        "{message}"
    );
}

/// Values that a file may have anywhere, right or wrong.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0..100_u64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_]{0,8}".prop_map(Value::from),
        prop::collection::vec(any::<u64>(), 0..9).prop_map(Value::from),
        Just(json!([4, 2])),
        Just(json!({})),
    ]
}

/// All values that are not objects.
fn leaves<'a>(json: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    match json {
        Value::Object(keys) => keys.values_mut().for_each(|value| leaves(value, found)),
        value => found.push(value),
    }
}

/// Puts values where a configuration has others: it is refused, or can be written and read again.
fn survives<C>(config: &C, changes: &[(Index, Value)]) -> Result<(), TestCaseError>
where
    C: ModelConfig + Serialize + PartialEq + Debug,
{
    let mut json = serde_json::to_value(config).unwrap();
    let mut found = Vec::new();
    leaves(&mut json, &mut found);
    for (at, value) in changes {
        let n = found.len();
        *found[at.index(n)] = value.clone();
    }
    if let Ok(config) = C::parse("config.json", &json) {
        let written = serde_json::to_value(&config).unwrap();
        prop_assert_eq!(C::parse("config.json", &written).unwrap(), config);
    }
    Ok(())
}

/// Rotary positions with all that can be said of them.
fn stretched() -> LlamaConfig {
    let rope = json!({
        "rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, "original_max_position_embeddings": 16,
        "attention_factor": 1.5, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 0.5,
        "truncate": true, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "mrope_section": [1, 1],
    });
    LlamaConfig {
        rope_parameters: Some(serde_json::from_value(rope).unwrap()),
        ..LlamaConfig::debug()
    }
}

proptest! {
    #[test]
    fn no_value_makes_a_parser_panic_and_what_it_takes_can_be_written(
        changes in prop::collection::vec((any::<Index>(), anything()), 1..3),
    ) {
        let fused = ClapAudioConfig::debug().with_fusion();
        survives(&AstConfig::debug(), &changes)?;
        survives(&BertConfig::debug(), &changes)?;
        survives(&BertConfig::debug().with_kind(BertKind::Roberta), &changes)?;
        survives(&CausalConfig::from(LlamaConfig::debug()), &changes)?;
        survives(&CausalConfig::from(stretched()), &changes)?;
        survives(&CausalConfig::from(Gpt2Config::debug()), &changes)?;
        survives(&ClapConfig::debug(), &changes)?;
        survives(&ClapConfig::new(ClapTextConfig::debug(), fused), &changes)?;
        survives(&ClipConfig::debug(), &changes)?;
        survives(&Dinov2Config::debug(), &changes)?;
        survives(&SiglipConfig::debug(), &changes)?;
        survives(&VitConfig::debug(), &changes)?;
        survives(&Wav2Vec2Config::debug(), &changes)?;
        survives(&WhisperConfig::debug(), &changes)?;
    }
}
