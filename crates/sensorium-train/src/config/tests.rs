//! Every setting that cannot be is named.

use super::*;

#[test]
fn each_impossible_setting_is_named() {
    let wrong: Vec<(&str, serde_json::Value)> = vec![
        ("epochs", 0.into()),
        ("steps", 0.into()),
        ("lr", 0.0.into()),
        ("warmup_share", 1.5.into()),
        ("final_lr_share", (-0.1).into()),
        ("weight_decay", (-0.1).into()),
        ("betas", vec![0.9, 1.0].into()),
        ("eps", 0.0.into()),
        ("momentum", 0.9.into()),
        ("ns_steps", 5.into()),
        ("decay_rate", 0.8.into()),
        ("update_clip", 1.0.into()),
        ("scale_parameter", false.into()),
        ("clip_norm", (-1.0).into()),
        ("accumulate", 0.into()),
        ("ema_decay", 1.0.into()),
        ("early_stop", serde_json::json!({ "patience": 0 })),
        ("keep_checkpoints", 0.into()),
        ("non_finite_limit", 0.into()),
        ("log_every", 0.into()),
    ];
    for (key, value) in wrong {
        let config: TrainConfig =
            serde_json::from_value(serde_json::json!({ key: value })).unwrap();
        let message = config.validate().unwrap_err().to_string();
        assert!(message.starts_with(&format!("train.{key}")), "{message}");
    }
    TrainConfig::default().validate().unwrap();
}

#[test]
fn each_impossible_setting_of_an_optimizer_is_named() {
    let wrong: Vec<(&str, &str, serde_json::Value)> = vec![
        ("lion", "betas", vec![1.0, 0.9].into()),
        ("lion", "eps", 1e-8.into()),
        ("muon", "eps", 0.0.into()),
        ("muon", "momentum", 1.0.into()),
        ("muon", "ns_steps", 0.into()),
        ("muon", "decay_rate", 0.8.into()),
        ("adafactor", "momentum", (-0.1).into()),
        ("adafactor", "decay_rate", 0.0.into()),
        ("adafactor", "update_clip", 0.0.into()),
        ("adafactor", "betas", vec![0.9, 0.9].into()),
    ];
    for (optimizer, key, value) in wrong {
        let config = serde_json::json!({ "optimizer": optimizer, key: value });
        let config: TrainConfig = serde_json::from_value(config).unwrap();
        let message = config.validate().unwrap_err().to_string();
        assert!(message.starts_with(&format!("train.{key} ")), "{message}");
    }
    for kind in OptimizerKind::ALL {
        let read = serde_json::from_value(kind.name().into()).unwrap();
        assert_eq!(kind, read);
        let config = TrainConfig {
            optimizer: kind,
            ..TrainConfig::default()
        };
        let resolved = config.resolved();
        resolved.validate().unwrap();
        let written = serde_json::to_value(&resolved).unwrap();
        for key in OptimizerKind::KEYS {
            let looked_at = kind.keys().contains(&key);
            assert_eq!(written.get(key).is_some(), looked_at, "{kind} {key}");
        }
    }
}

#[test]
fn each_impossible_group_is_named() {
    let wrong = serde_json::json!([
        [{ "lr_scale": 0.1 }, "train.groups.parameters"],
        [{ "parameters": "a" }, "train.groups"],
        [{ "parameters": ["a", ""], "frozen": true }, "train.groups.parameters"],
        [{ "parameters": "a", "lr_scale": 0.0 }, "train.groups.lr_scale"],
        [{ "parameters": "a", "layer_decay": 1.5 }, "train.groups.layer_decay"],
        [{ "parameters": "a", "weight_decay": -1.0 }, "train.groups.weight_decay"],
        [{ "parameters": "a", "unfreeze_at": 0 }, "train.groups.unfreeze_at"],
        [{ "parameters": "a", "unfreeze_at": 1.0 }, "train.groups.unfreeze_at"],
        [{ "parameters": "a", "frozen": true, "lr_scale": 2.0 }, "train.groups.frozen"],
        [{ "parameters": "a", "frozen": true, "unfreeze_at": 3 }, "train.groups.frozen"],
    ]);
    for case in wrong.as_array().unwrap() {
        let config = serde_json::json!({ "groups": [case[0]] });
        let config: TrainConfig = serde_json::from_value(config).unwrap();
        let message = config.validate().unwrap_err().to_string();
        let key = case[1].as_str().unwrap();
        assert!(message.starts_with(&format!("{key} is ")), "{message}");
    }
    let right = serde_json::json!({ "groups": [
        { "parameters": "encoders.*", "lr_scale": 0.1, "layer_decay": 0.75 },
        { "parameters": ["a", "b*"], "unfreeze_at": 0.25 },
    ]});
    let config: TrainConfig = serde_json::from_value(right).unwrap();
    config.validate().unwrap();
    assert_eq!(config.groups[1].parameters, ["a", "b*"]);
    let moments = [Moment::Share(0.25), Moment::Step(3)].map(|at| at.step(10));
    assert_eq!(moments, [3, 3]);
}

#[test]
fn unknown_keys_are_refused_and_absent_ones_have_defaults() {
    assert!(serde_json::from_str::<TrainConfig>(r#"{"learning_rate": 1}"#).is_err());
    assert_eq!(
        serde_json::from_str::<TrainConfig>("{}").unwrap(),
        TrainConfig::default()
    );
}

#[test]
fn steps_outrank_epochs_and_a_short_last_step_counts() {
    let config = TrainConfig {
        epochs: 3,
        accumulate: 4,
        ..TrainConfig::default()
    };
    assert_eq!(config.total_steps(10), 9);
    assert_eq!(
        TrainConfig {
            steps: Some(5),
            ..config
        }
        .total_steps(10),
        5
    );
}
