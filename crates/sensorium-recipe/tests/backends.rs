//! The same recipe on every backend: the first steps' losses agree.

use sensorium_recipe::{Options, Recipe, Silent, train};
use sensorium_testkit::devices;

const RECIPE: &str = r#"
name = "agree"
[batch]
size = 6
modality_dropout = 0.3
[encoders.text]
vocab_size = 40
max_tokens = 8
d_model = 16
n_layers = 1
n_heads = 2
[fusion]
kind = "transformer"
d_model = 16
n_layers = 1
n_heads = 2
[train]
epochs = 1
steps = 4
lr = 1e-2
"#;

#[test]
fn first_losses_agree() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = dir.path().join("m.csv");
    let rows: String = (0..40)
        .map(|i| {
            let text = [
                "it purrs",
                "it barks",
                "it sings a song",
                "it says nothing at all",
            ][i % 4];
            format!(
                "{text} {i},{},{}\n",
                i % 4,
                ["train", "train", "train", "test"][i / 4 % 4]
            )
        })
        .collect();
    std::fs::write(&manifest, format!("text,label,split\n{rows}")).unwrap();
    let mut first: Option<Vec<f64>> = None;
    for (n, device) in devices().iter().enumerate() {
        let mut recipe = Recipe::parse("agree.toml", RECIPE, &[]).unwrap();
        recipe.data.path = Some(manifest.clone());
        let out = dir.path().join(format!("run-{n}"));
        let options = Options {
            device,
            backend: format!("{device:?}"),
        };
        train(recipe, Some(&out), &options, &mut Silent).unwrap();
        let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let losses: Vec<f64> = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["kind"] == "step")
            .map(|line| line["loss"].as_f64().unwrap())
            .collect();
        assert_eq!(losses.len(), 4);
        let expected: &Vec<f64> = first.get_or_insert_with(|| losses.clone());
        for (found, expected) in losses.iter().zip(expected.iter()) {
            assert!((found - expected).abs() < 1e-3, "{device:?}: {losses:?}");
        }
    }
}
