//! Train on a manifest of your own, from a recipe, in a program of your own: what `sensorium train` does.

use std::error::Error;
use std::path::Path;

use sensorium_recipe::{Options, Recipe, SavedModel, Silent, Source, train};
use sensorium_runtime::Backend;

const RECIPE: &str = r#"
name = "reviews"
[batch]
size = 8
[encoders.text]
vocab_size = 200
max_tokens = 16
d_model = 32
n_layers = 1
n_heads = 4
[fusion]
kind = "concat"
d_model = 32
[train]
epochs = 12
lr = 5e-3
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("sensorium-your-manifest-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = run(&dir);
    std::fs::remove_dir_all(&dir)?;
    println!("test accuracy {:.0} %", 100.0 * done?);
    Ok(())
}

fn run(dir: &Path) -> Result<f64, Box<dyn Error>> {
    // Any CSV, TSV or JSON lines will do; files are named relative to it.
    let manifest = dir.join("reviews.csv");
    std::fs::write(&manifest, reviews())?;

    let mut recipe = Recipe::parse("reviews.toml", RECIPE, &[])?;
    recipe.data.path = Some(manifest);
    let device = sensorium_runtime::open(Backend::Flex)?;
    let options = Options::new(&device, Backend::Flex.to_string());
    let finished = train(recipe, Some(&dir.join("run")), &options, &mut Silent)?;

    // The run's folder holds the model; it can be opened again, here or by `sensorium predict`.
    let model = SavedModel::open(finished.folder.path(), &device)?;
    let answer = model.predict(&[("text".to_owned(), Source::text("a wonderful soup"))])?;
    println!(
        "\"a wonderful soup\" is {} ({:.0} %)",
        answer.scores[0].label,
        100.0 * answer.scores[0].score
    );
    Ok(finished.metrics.accuracy().unwrap_or(0.0))
}

/// A hundred and twenty made-up reviews.
fn reviews() -> String {
    let dishes = ["soup", "bread", "cake", "fish", "salad"];
    let words = [
        ("wonderful", "good"),
        ("lovely", "good"),
        ("awful", "bad"),
        ("burnt", "bad"),
    ];
    let mut csv = String::from("text,label\n");
    for i in 0..120 {
        let (word, label) = words[i % 4];
        let dish = dishes[i / 4 % 5];
        csv.push_str(&format!("a {word} {dish} at table {},{label}\n", i % 7));
    }
    csv
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_learns() -> Result<(), Box<dyn std::error::Error>> {
        let dir = std::env::temp_dir().join(format!(
            "sensorium-your-manifest-test-{}",
            std::process::id()
        ));
        std::fs::create_dir_all(&dir)?;
        let accuracy = super::run(&dir);
        std::fs::remove_dir_all(&dir)?;
        assert!(accuracy? > 0.9);
        Ok(())
    }
}
