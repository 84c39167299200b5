//! A small data set and recipe, and the command to run on them.

mod command;

use std::path::{Path, PathBuf};

#[allow(unused_imports, reason = "each test takes what it needs")]
pub use command::{bare, sensorium};

/// A recipe over text and pictures that trains in a second.
pub const RECIPE: &str = r#"
name = "tiny"
[batch]
size = 8
modality_dropout = 0.2
[encoders.text]
vocab_size = 50
max_tokens = 8
d_model = 16
n_layers = 1
n_heads = 2
[encoders.image]
image_size = 8
patch_size = 4
channels = 1
d_model = 16
n_layers = 1
n_heads = 2
[fusion]
kind = "gated"
d_model = 16
[train]
epochs = 3
lr = 1e-2
ema_decay = 0.9
checkpoint_every = 2
"#;

/// Writes 60 rows of two classes, with pictures, and the recipe; returns the manifest.
pub fn prepare(dir: &Path) -> PathBuf {
    std::fs::write(dir.join("tiny.toml"), RECIPE).unwrap();
    let mut manifest = String::from("id,text,image,label,split\n");
    for i in 0..60 {
        let cat = i % 2 == 0;
        let image = format!("{i}.png");
        // Dark for cats, light for dogs.
        let pixels: Vec<u8> = (0..64)
            .map(|p| if cat { 20 } else { 200 } + ((i * 7 + p) % 30) as u8)
            .collect();
        let file = std::fs::File::create(dir.join(&image)).unwrap();
        let mut encoder = png::Encoder::new(file, 8, 8);
        encoder.set_color(png::ColorType::Grayscale);
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&pixels)
            .unwrap();
        let (text, label) = if cat {
            ("it purrs", "cat")
        } else {
            ("it barks", "dog")
        };
        let split = ["train", "train", "train", "valid", "test"][i / 2 % 5];
        manifest.push_str(&format!("r{i},{text},{image},{label},{split}\n"));
    }
    let path = dir.join("pets.csv");
    std::fs::write(&path, manifest).unwrap();
    path
}
