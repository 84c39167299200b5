//! Names of parameters, which are the keys of checkpoints.

use sensorium_testkit::{devices, parameter_snapshot};

use crate::clap::{ClapAudioConfig, ClapConfig, ClapTextConfig};

/// A block of width `d`, with as many distances and heads as `table` says.
fn block(under: &str, d: usize, table: &str) -> String {
    let mut lines = vec![
        format!("norm_attention.layer.gamma [{d}]"),
        format!("norm_attention.layer.beta [{d}]"),
    ];
    for name in ["query", "key", "value", "output"] {
        lines.push(format!("attention.{name}.weight [{d}, {d}]"));
        lines.push(format!("attention.{name}.bias [{d}]"));
    }
    lines.push(format!("relative_position {table}"));
    lines.push(format!("norm_feed_forward.layer.gamma [{d}]"));
    lines.push(format!("norm_feed_forward.layer.beta [{d}]"));
    let d_ff = d * 3 / 2;
    lines.push(format!("feed_forward.up.weight [{d}, {d_ff}]"));
    lines.push(format!("feed_forward.up.bias [{d_ff}]"));
    lines.push(format!("feed_forward.down.weight [{d_ff}, {d}]"));
    lines.push(format!("feed_forward.down.bias [{d}]"));
    lines
        .iter()
        .map(|line| format!("{under}.{line}\n"))
        .collect()
}

fn norm(under: &str, d: usize) -> String {
    ["gamma", "beta", "running_mean", "running_var"]
        .map(|name| format!("{under}.{name} [{d}]\n"))
        .concat()
}

fn fusion() -> String {
    let mut lines = String::new();
    for branch in ["local", "global"] {
        let under = format!("patches.crops.fusion.{branch}");
        lines += &format!("{under}.down.weight [2, 4, 1, 1]\n{under}.down.bias [2]\n");
        lines += &norm(&format!("{under}.norm_down"), 2);
        lines += &format!("{under}.up.weight [4, 2, 1, 1]\n{under}.up.bias [4]\n");
        lines += &norm(&format!("{under}.norm_up"), 4);
    }
    lines
}

fn audio(is_fused: bool) -> String {
    let crops = "patches.crops.patch.weight [4, 1, 2, 6]\npatches.crops.patch.bias [4]\n";
    let crops = match is_fused {
        true => crops.to_owned() + &fusion(),
        false => String::new(),
    };
    [
        norm("spectrogram.norm", 4),
        "patches.patch.weight [4, 1, 2, 2]\npatches.patch.bias [4]\n".to_owned(),
        crops,
        "patches.norm.layer.gamma [4]\npatches.norm.layer.beta [4]\n".to_owned(),
        block("stages.0.blocks.0", 4, "[9, 1]"),
        "stages.0.merging.norm.layer.gamma [16]\nstages.0.merging.norm.layer.beta [16]\n"
            .to_owned(),
        "stages.0.merging.reduction.weight [16, 8]\n".to_owned(),
        block("stages.1.blocks.0", 8, "[9, 2]"),
        "norm.layer.gamma [8]\nnorm.layer.beta [8]\n".to_owned(),
    ]
    .concat()
}

fn text() -> String {
    crate::clip::tests::lines(
        "bert.",
        "embeddings.word.weight [16, 8]\nembeddings.position.weight [10, 8]\n\
            embeddings.token_type.weight [1, 8]\nembeddings.norm.layer.gamma [8]\n\
            embeddings.norm.layer.beta [8]\n",
        "pooler.weight [8, 8]\npooler.bias [8]\n",
    )
}

fn under(name: &str, lines: &str) -> String {
    lines
        .lines()
        .map(|line| format!("{name}.{line}\n"))
        .collect()
}

fn projection(under: &str) -> String {
    let layers = [
        "hidden.weight [8, 5]",
        "hidden.bias [5]",
        "output.weight [5, 5]",
        "output.bias [5]",
    ];
    layers.map(|layer| format!("{under}.{layer}\n")).concat()
}

fn small() -> ClapAudioConfig {
    ClapAudioConfig {
        depths: vec![1, 1],
        ..ClapAudioConfig::debug()
    }
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let words = ClapTextConfig {
        n_layers: 1,
        ..ClapTextConfig::debug()
    };
    let snapshot = |module: String| module + "\n";
    let tower = parameter_snapshot(&small().init(device));
    assert_eq!(snapshot(tower), audio(false));
    let tower = parameter_snapshot(&small().with_fusion().init(device));
    assert_eq!(snapshot(tower), audio(true));
    let tower = parameter_snapshot(&small().init_with_projection(device));
    let expected = under("audio", &audio(false)) + &projection("projection");
    assert_eq!(snapshot(tower), expected);
    let tower = parameter_snapshot(&words.init_with_projection(device));
    let expected = under("text", &text()) + &projection("projection");
    assert_eq!(snapshot(tower), expected);
    let model = parameter_snapshot(&ClapConfig::new(words, small()).init(device));
    let expected = [
        under("text", &text()),
        under("audio", &audio(false)),
        projection("text_projection"),
        projection("audio_projection"),
        "logit_scale_a [1]\nlogit_scale_t [1]\n".to_owned(),
    ];
    assert_eq!(snapshot(model), expected.concat());
}
