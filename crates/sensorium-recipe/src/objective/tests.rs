//! Kinds, the keys that each looks at, and what cannot work.

use super::*;

#[test]
fn kinds_are_called_what_they_are_read_as() {
    for kind in ObjectiveKind::ALL {
        let config: ObjectiveConfig = toml::from_str(&format!("kind = {:?}", kind.name())).unwrap();
        assert_eq!(config.kind, kind);
        assert_eq!(config.validate(), Ok(()));
    }
}

#[test]
fn a_key_without_effect_is_refused_for_every_kind() {
    let keys = "label_smoothing gamma class_balance positive_weights loss delta unlabelled threshold weight ramp_steps decay teacher \
        truth share word_share whole_words next_sentence d_decoder decoder_layers d_embed temperature negatives anchor";
    for kind in ObjectiveKind::ALL {
        for key in keys.split(' ') {
            let value = match key {
                "unlabelled" | "ramp_steps" | "d_embed" | "decoder_layers" => "3",
                "d_decoder" => "8",
                "negatives" => "\"uniform\"",
                "whole_words" | "next_sentence" | "positive_weights" => "true",
                "loss" => "\"huber\"",
                "anchor" | "teacher" => "\"text\"",
                _ => "0.5",
            };
            // Which of its losses looks at it is told of by itself.
            let huber = match (kind, key) {
                (ObjectiveKind::Regression, "delta") => "\nloss = \"huber\"",
                _ => "",
            };
            let text = format!("kind = {:?}\n{key} = {value}{huber}", kind.name());
            let config: ObjectiveConfig = toml::from_str(&text).unwrap();
            let start = format!(
                "objective.{key} has no effect with objective.kind = {:?}: remove it, or use ",
                kind.name()
            );
            match config.validate() {
                Ok(()) => assert!(kind.keys().contains(&key), "{text}"),
                Err(message) => {
                    assert!(!kind.keys().contains(&key), "{text}");
                    assert!(message.starts_with(&start), "{message}");
                }
            }
        }
    }
}

#[test]
fn every_default_with_an_effect_is_written_out_and_means_the_same() {
    for kind in ObjectiveKind::ALL {
        let config = ObjectiveConfig {
            kind,
            ..ObjectiveConfig::default()
        };
        let text = toml::to_string(&config.resolved()).unwrap();
        for key in kind.keys() {
            let has_none = ["class_balance", "anchor", "delta", "teacher"].contains(key);
            assert_eq!(text.contains(&format!("{key} = ")), !has_none, "{text}");
        }
        let read: ObjectiveConfig = toml::from_str(&text).unwrap();
        assert_eq!(read.validate(), Ok(()));
        assert_eq!(read, read.resolved());
    }
}

#[test]
fn what_cannot_work_is_refused() {
    for (text, expected) in [
        (
            "label_smoothing = 1.0",
            "label_smoothing = 1 must be at least 0 and below 1",
        ),
        (
            "kind = \"focal\"\ngamma = -1.0",
            "gamma = -1 must be at least 0 and below 100",
        ),
        (
            "class_balance = nan",
            "class_balance = NaN must be at least 0 and below 1",
        ),
        (
            "class_balance = 1.0",
            "class_balance = 1 must be at least 0 and below 1",
        ),
        (
            "kind = \"fix-match\"\nthreshold = 1.0",
            "threshold = 1 must be at least 0 and below 1",
        ),
        (
            "kind = \"fix-match\"\nunlabelled = 0",
            "unlabelled = 0 must be 1 to 1024",
        ),
    ] {
        let config: ObjectiveConfig = toml::from_str(text).unwrap();
        assert_eq!(
            config.validate().unwrap_err(),
            format!("objective.{expected}")
        );
    }
}
