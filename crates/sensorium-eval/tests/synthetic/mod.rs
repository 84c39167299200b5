//! Made-up but likely numbers for a report: what a run on spoken and written digits could look like.

use std::io::Cursor;

use sensorium_eval::{
    Ablation, Classification, ClassificationReport, Curve, DataSummary, Example, ExampleInput,
    KeyValue, Media, Retrieval, RunReport, Search, SkippedRow, SplitSummary, Told, subsets,
};

/// A small generator (Knuth's MMIX constants), so that the page looks the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// 5 x 7 glyphs of the ten digits, a row a number.
const GLYPHS: [[u8; 7]; 10] = [
    [14, 17, 19, 21, 25, 17, 14],
    [4, 12, 4, 4, 4, 4, 14],
    [14, 17, 1, 2, 4, 8, 31],
    [31, 2, 4, 2, 1, 17, 14],
    [2, 6, 10, 18, 31, 2, 2],
    [31, 16, 30, 1, 1, 17, 14],
    [6, 8, 16, 30, 17, 17, 14],
    [31, 1, 2, 4, 8, 8, 8],
    [14, 17, 17, 14, 17, 17, 14],
    [14, 17, 17, 15, 1, 2, 12],
];

fn digit(class: usize, dice: &mut Dice) -> Media {
    let (dx, dy) = (
        (dice.roll() * 4.0) as i32 + 1,
        (dice.roll() * 3.0) as i32 + 1,
    );
    let picture = image::GrayImage::from_fn(16, 16, |x, y| {
        let (gx, gy) = ((x as i32 - dx) / 2, (y as i32 - dy) / 2);
        let inside = x as i32 >= dx && y as i32 >= dy && gx < 5 && gy < 7;
        let ink = inside && GLYPHS[class][gy as usize] >> (4 - gx) & 1 == 1;
        image::Luma([((if ink { 190.0 } else { 20.0 }) + dice.roll() * 60.0) as u8])
    });
    let mut bytes = Vec::new();
    picture
        .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)
        .unwrap();
    Media::Image {
        mime: "image/png".into(),
        bytes,
    }
}

/// A third of a second of a falling tone, 8 kHz, 8 bits.
fn tone(class: usize) -> Media {
    let samples = 2600_u32;
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    bytes[4..8].copy_from_slice(&(36 + samples).to_le_bytes());
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    bytes.extend([8000_u32, 8000].map(u32::to_le_bytes).concat());
    bytes.extend([1_u16, 8].map(u16::to_le_bytes).concat());
    bytes.extend(b"data");
    bytes.extend(samples.to_le_bytes());
    bytes.extend((0..samples).map(|i| {
        let t = f64::from(i) / 8000.0;
        let wave = (t * (500.0 + 90.0 * class as f64) * std::f64::consts::TAU * (1.0 - t)).sin();
        (128.0 + 90.0 * wave * (1.0 - f64::from(i) / f64::from(samples))) as u8
    }));
    Media::Sound {
        mime: "audio/wav".into(),
        bytes,
    }
}

/// Scores that are right with the given probability, else near the true class.
fn measured(labels: &[String], n: usize, right: f64, dice: &mut Dice) -> ClassificationReport {
    let classes = labels.len();
    let mut counts = Classification::new(labels.to_vec()).unwrap();
    let mut rows = Vec::new();
    for i in 0..n {
        let target = i % classes;
        let mut scores: Vec<f32> = (0..classes).map(|_| dice.roll() as f32).collect();
        let near = [3, 8, 1, 5, 9, 6, 0, 1, 3, 4][target % 10] % classes;
        let taken = if dice.roll() < 0.7 {
            near
        } else {
            (dice.roll() * classes as f64) as usize
        };
        let answer = if dice.roll() < right { target } else { taken };
        // More classes share what is left; most right answers are sure, and few wrong ones.
        let sure = dice.roll().sqrt() * if answer == target { 1.0 } else { 0.6 };
        scores[answer] += 0.4 + (classes as f32).ln() + 4.0 * sure as f32;
        rows.push((target, softmax(&scores)));
        counts.add(target, &rows[i].1).unwrap();
    }
    let rows: Vec<(usize, &[f32])> = rows.iter().map(|(t, p)| (*t, p.as_slice())).collect();
    counts.finish().with_probabilities(&rows).unwrap()
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let sum: f32 = scores.iter().map(|score| score.exp()).sum();
    scores.iter().map(|score| score.exp() / sum).collect()
}

fn curves(dice: &mut Dice) -> Vec<Curve> {
    let steps = 640_u64;
    let part = |step: u64| step as f64 / steps as f64;
    let loss = |step: u64| 0.12 + 2.2 * (-6.5 * part(step)).exp();
    let accuracy = |step: u64| 0.985 - 0.88 * (-7.5 * part(step)).exp();
    let rate = |step: u64| {
        let warm = (step as f64 / 64.0).min(1.0);
        warm * 1e-3 * (0.5 + 0.5 * (part(step) * std::f64::consts::PI).cos())
    };
    let mut noise = |size: f64| (dice.roll() + dice.roll() - 1.0) * size;
    let epochs: Vec<u64> = (1..=8).map(|epoch| epoch * 80).collect();
    vec![
        Curve::new(
            "train/loss",
            (1..=steps).map(|s| (s, (loss(s) * (1.0 + noise(0.45)) + noise(0.05)).max(0.01))),
        ),
        Curve::new(
            "valid/loss",
            epochs.iter().map(|&s| (s, loss(s) * 1.15 + 0.03)),
        ),
        Curve::new(
            "train/accuracy",
            (1..=steps).map(|s| (s, (accuracy(s) + noise(0.12)).clamp(0.0, 1.0))),
        ),
        Curve::new(
            "valid/accuracy",
            epochs.iter().map(|&s| (s, accuracy(s) - 0.012)),
        ),
        Curve::new("train/learning_rate", (1..=steps).map(|s| (s, rate(s)))),
    ]
}

fn examples(dice: &mut Dice) -> Vec<Example> {
    let hints = [
        "a round one",
        "an upright one",
        "a curved one",
        "a curved one",
        "an angular one",
        "a curved one",
        "a round one",
        "an angular one",
        "a round one",
        "a round one",
    ];
    let wrong = [(3, 8), (9, 4), (1, 7), (5, 6)];
    let right = (0..8).map(|class| (class, class));
    let example = |(i, (target, answer)): (usize, (usize, usize))| {
        let sure = if target == answer {
            0.9 + 0.09 * dice.roll()
        } else {
            0.45 + 0.2 * dice.roll()
        };
        let second = if target == answer {
            (target + 5) % 10
        } else {
            target
        };
        let rest = 1.0 - sure;
        Example {
            id: format!("test/{:04}-{target}-en-gb-m3", 37 * i + 11),
            inputs: vec![
                ExampleInput {
                    modality: "image".into(),
                    content: digit(target, dice),
                },
                ExampleInput {
                    modality: "audio".into(),
                    content: tone(target),
                },
                ExampleInput {
                    modality: "text".into(),
                    content: Media::Text(hints[target].into()),
                },
            ],
            target: target.to_string(),
            top: vec![
                (answer.to_string(), sure),
                (second.to_string(), rest * 0.7),
                (((target + 2) % 10).to_string(), rest * 0.2),
            ],
            ..Default::default()
        }
    };
    wrong
        .into_iter()
        .chain(right)
        .enumerate()
        .map(example)
        .collect()
}

/// Ten digits seen, heard and hinted at.
pub fn av_digits() -> RunReport {
    let mut dice = Dice(5);
    let labels: Vec<String> = (0..10).map(|class| class.to_string()).collect();
    let modalities = ["image", "audio", "text"];
    let mut ablation = Ablation::new(modalities);
    let mut test = None;
    for subset in subsets(&modalities).unwrap() {
        let right = match subset.join(" ").as_str() {
            "image" => 0.84,
            "audio" => 0.80,
            "text" => 0.24,
            "image audio" => 0.955,
            "image text" => 0.9,
            "audio text" => 0.86,
            _ => 0.98,
        };
        let report = measured(&labels, 500, right, &mut dice);
        ablation.push(&subset, &report).unwrap();
        test = Some(report);
    }
    RunReport {
        title: "av-digits".into(),
        subtitle:
            "A handwritten digit, the digit spoken, and a vague written hint: which digit is it?"
                .into(),
        parameters: Some(412_938),
        duration_s: Some(131.4),
        backend: Some("flex (CPU)".into()),
        facts: vec![KeyValue::new("Steps", "640")],
        test,
        multi_label: None,
        regression: None,
        written: None,
        scatter: Vec::new(),
        curves: curves(&mut dice),
        ablation: Some(ablation),
        beside: vec![("scratch".into(), 0.91), ("image-alone".into(), 0.84)],
        search: vec![searched("image", &[1, 1, 3]), searched("audio", &[2, 9])],
        told: vec![
            Told::new("image", 412, 500),
            Told::new("audio+image", 480, 500),
        ],
        examples: examples(&mut dice),
        data: Some(data()),
        recipe_toml: RECIPE.into(),
        environment: [
            ("Sensorium", "0.1.0"),
            ("Backend", "flex, 2 threads"),
            ("Seed", "7"),
            ("Started", "2026-11-23 18:20 UTC"),
        ]
        .map(|(key, value)| KeyValue::new(key, value))
        .into(),
    }
}

/// One that found what it looked for at these places.
pub fn searched(from: &str, ranks: &[u32]) -> Search {
    let mut found = Retrieval::new();
    for rank in ranks {
        found.add_rank(*rank).unwrap();
    }
    Search {
        from: from.into(),
        to: "text".into(),
        report: found.finish(),
    }
}

fn data() -> DataSummary {
    let split = |name: &str, rows: u64, text: u64| SplitSummary {
        name: name.into(),
        rows,
        present: vec![
            ("image".into(), rows),
            ("audio".into(), rows),
            ("text".into(), text),
        ],
    };
    let skipped = |row: u64, column: &str, reason: &str| SkippedRow {
        row,
        column: column.into(),
        reason: reason.into(),
    };
    DataSummary {
        name: "av-digits (embedded)".into(),
        splits: vec![
            split("train", 2560, 2314),
            split("valid", 320, 320),
            split("test", 500, 500),
        ],
        skipped: vec![
            skipped(
                118,
                "image",
                "`images/0117.png` is cut short: 214 bytes of a picture that needs more",
            ),
            skipped(902, "audio", "`speech/seven-24.wav` holds no sound"),
        ],
        skipped_rows: 2,
    }
}

const RECIPE: &str = r#"# Everything a run needs, defaults included.
name = "av-digits"
seed = 7

[data]
source = "av-digits"
on_error = "skip"

[model.image]
encoder = "vit"
d_model = 96
patch_size = 4

[model.fusion]
kind = "cross-modal"
n_layers = 2

[train]
epochs = 8
batch_size = 32
learning_rate = 1e-3
modality_dropout = 0.2
"#;

/// More classes than a matrix can show, of one modality, without validation.
pub fn many_classes(classes: usize) -> RunReport {
    let mut dice = Dice(9);
    let kinds = [
        "great spotted woodpecker",
        "wren",
        "hooded crow",
        "black-tailed godwit",
        "robin",
        "lesser whitethroat",
    ];
    let labels: Vec<String> = (0..classes)
        .map(|class| format!("{} {}", kinds[class % kinds.len()], class / 6))
        .collect();
    let test = measured(&labels, classes * 4, 0.7, &mut dice);
    let mut ablation = Ablation::new(["image"]);
    ablation.push(&["image"], &test).unwrap();
    RunReport {
        title: "species".into(),
        test: Some(test),
        ablation: Some(ablation),
        ..Default::default()
    }
}
