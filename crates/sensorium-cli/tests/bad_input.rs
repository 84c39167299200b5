//! What goes wrong says so in one line, with exit code 1 (failed) or 2 (used wrongly), and leaves nothing behind.

mod common;

use std::path::Path;

use assert_cmd::Command;
use common::{RECIPE, bare, prepare, sensorium};

/// Runs a training and expects one line of error that contains `expected`.
fn check(dir: &Path, args: &[&str], code: i32, expected: &str) {
    check_command(dir, sensorium(dir), args, code, expected);
}

fn check_command(dir: &Path, mut command: Command, args: &[&str], code: i32, expected: &str) {
    let before = entries(dir);
    let out = command.args(args).assert().code(code);
    let stderr = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
    assert!(
        stderr.contains(expected),
        "{args:?}\n  said  {stderr}  not   {expected}"
    );
    assert!(
        stderr.starts_with("error: ") && stderr.trim_end().lines().count() == 1,
        "{stderr}"
    );
    assert!(out.get_output().stdout.is_empty());
    assert_eq!(entries(dir), before, "{args:?} left something behind");
}

fn entries(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn with_row(dir: &Path, row: &str, expected: &str) {
    let manifest = std::fs::read_to_string(dir.join("pets.csv")).unwrap();
    std::fs::write(dir.join("bad.csv"), format!("{manifest}{row}\n")).unwrap();
    check(
        dir,
        &["train", "tiny.toml", "--data", "bad.csv"],
        1,
        expected,
    );
    std::fs::remove_file(dir.join("bad.csv")).unwrap();
}

/// A PNG of a few bytes whose header announces a huge picture.
fn bomb() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 50_000, 50_000);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c]).unwrap();
    drop(writer);
    bytes
}

#[test]
fn bad_data_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir);
    let png = std::fs::read(dir.join("0.png")).unwrap();
    std::fs::write(dir.join("cut.png"), &png[..png.len() - 30]).unwrap();
    std::fs::write(dir.join("bomb.png"), bomb()).unwrap();
    std::fs::write(dir.join("text.png"), "not a picture").unwrap();

    with_row(dir, "x,,none.png,cat,train", "none.png does not exist");
    with_row(
        dir,
        "x,,cut.png,cat,train",
        "cut.png: the PNG file is cut off before its image ends; copy it again (use --on-error",
    );
    with_row(dir, "x,,bomb.png,cat,train", "50000 x 50000 pixels");
    with_row(dir, "x,,text.png,cat,train", "text.png");
    with_row(
        dir,
        "r0,hi,,cat,train",
        "\"r0\" is the id of an earlier row too",
    );
    with_row(dir, "x,,,cat,train", "the row has none of the columns");

    std::fs::write(dir.join("empty.csv"), "").unwrap();
    check(
        dir,
        &["train", "tiny.toml", "--data", "empty.csv"],
        1,
        "empty.csv: has no rows",
    );
    std::fs::write(dir.join("utf8.csv"), b"text,label\n\xff\xfe,cat\n").unwrap();
    check(
        dir,
        &["train", "tiny.toml", "--data", "utf8.csv"],
        1,
        "column text: is not UTF-8",
    );
    check(
        dir,
        &["train", "tiny.toml", "--data", "none.csv"],
        1,
        "none.csv: cannot open",
    );
}

/// A whole PNG with as many bytes of text in its metadata, which pack to a hundredth of that.
fn with_packed_text(bytes: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 2);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .add_ztxt_chunk("Comment".to_owned(), "a".repeat(bytes))
        .unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[128; 12]).unwrap();
    drop(writer);
    file
}

#[test]
fn a_bomb_is_named_and_a_packed_text_not_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensorium-vision/tests/fixtures");
    let jpeg = std::fs::read(fixtures.join("rgb.jpg")).unwrap();
    std::fs::write(dir.join("cut.jpg"), &jpeg[..jpeg.len() - 40]).unwrap();
    std::fs::write(dir.join("bomb.png"), bomb()).unwrap();
    std::fs::write(dir.join("plain.png"), with_packed_text(1)).unwrap();
    let packed = with_packed_text(64 << 20);
    assert!(packed.len() < 1 << 20, "{} bytes", packed.len());
    std::fs::write(dir.join("packed.png"), packed).unwrap();

    let embed = ["embed", "--model", "tiny-clip", "--image"];
    let named = |file: &str, expected: &str| {
        let args = [&embed[..], &[file]].concat();
        check(dir, &args, 1, expected);
    };
    named(
        "cut.jpg",
        "error: cut.jpg: the JPEG file is cut off before its image ends; copy it again\n",
    );
    named(
        "bomb.png",
        "error: bomb.png: 50000 x 50000 pixels are more than the 89478485 in all, 65535 a side",
    );
    // The text is no pixel: both are the same picture.
    let args = [&embed[..], &["plain.png", "packed.png", "--json"]].concat();
    let done = sensorium(dir).args(args).assert().success();
    let told: serde_json::Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    let rows = &told["embeddings"];
    assert_eq!(rows[0]["vector"], rows[1]["vector"]);
}

#[test]
fn bad_sounds_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir);
    std::fs::write(dir.join("audio.toml"), "name = \"a\"\n[encoders.audio]\n").unwrap();
    let wav = |samples: &[f32]| {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        samples
            .iter()
            .for_each(|s| writer.write_sample(*s).unwrap());
        writer.finalize().unwrap();
        file.into_inner()
    };
    let good = wav(&[0.5; 4000]);
    for (name, bytes, expected) in [
        (
            "cut.wav",
            good[..good.len() - 100].to_vec(),
            "cut.wav: is cut off",
        ),
        ("zero.wav", wav(&[]), "zero.wav: holds no sound"),
        (
            "nan.wav",
            wav(&[0.1, f32::NAN]),
            "nan.wav: sample 1 is not a finite number",
        ),
        ("empty.wav", Vec::new(), "empty.wav: is empty"),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
        let manifest = format!("audio,label,split\n{name},cat,train\n");
        std::fs::write(dir.join("s.csv"), manifest).unwrap();
        let args = ["train", "audio.toml", "--data", "s.csv"];
        check(dir, &args, 1, expected);
    }
}

#[test]
fn skipped_rows_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir);
    let manifest = std::fs::read_to_string(dir.join("pets.csv")).unwrap();
    std::fs::write(dir.join("text.png"), "not a picture").unwrap();
    std::fs::write(
        dir.join("bad.csv"),
        format!("{manifest}x,,none.png,cat,train\ny,,text.png,dog,test\nz,a,b\n"),
    )
    .unwrap();
    sensorium(dir)
        .args([
            "train",
            "tiny.toml",
            "--data",
            "bad.csv",
            "--on-error",
            "skip",
            "--set",
            "train.epochs=1",
        ])
        .assert()
        .success();
    let listed = std::fs::read_to_string(dir.join("runs/tiny/skipped.jsonl")).unwrap();
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(
        listed.contains("none.png does not exist") && listed.contains("text.png"),
        "{listed}"
    );
}

#[test]
fn a_label_outside_the_set_is_named_with_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir);
    check(
        dir,
        &[
            "train",
            "tiny.toml",
            "--data",
            "pets.csv",
            "--set",
            "data.labels=[\"cat\", \"dogs\"]",
        ],
        1,
        "column label: \"dog\" is none of the 2 classes; did you mean \"dogs\"?",
    );
}

#[test]
fn bad_recipes_are_named_with_line_and_nearest_key() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir);
    let recipe = |text: &str| std::fs::write(dir.join("r.toml"), text).unwrap();
    recipe("");
    recipe(&RECIPE.replace("epochs = 3", "epohcs = 3"));
    check(
        dir,
        &["train", "r.toml"],
        2,
        "r.toml:23: unknown key `epohcs`; did you mean `epochs`?",
    );
    recipe(&RECIPE.replace("epochs = 3", "epochs = \"three\""));
    check(
        dir,
        &["train", "r.toml"],
        2,
        "r.toml:23: invalid type: string \"three\", expected usize",
    );
    recipe(&RECIPE.replace("kind = \"gated\"", "kind = \"gatde\""));
    check(
        dir,
        &["train", "r.toml"],
        2,
        "unknown value `gatde`; did you mean `gated`?",
    );
    recipe("name = ");
    check(dir, &["train", "r.toml"], 2, "r.toml:1: ");
    recipe("name = \"x\"\n[encoders]\n");
    check(
        dir,
        &["train", "r.toml"],
        2,
        "a model needs at least one modality",
    );
    recipe(&RECIPE.replace("d_model = 16\nn_layers = 1", "d_model = 15\nn_layers = 1"));
    check(
        dir,
        &["train", "r.toml"],
        2,
        "encoders.text: d_model: 15 must be a multiple of n_heads = 2",
    );
    for (from, to, expected) in [
        (
            "epochs = 3",
            "metric = \"acuracy\"",
            "r.toml:23: train.metric = \"acuracy\": validation measures accuracy, macro_f1, loss; did you mean \"accuracy\"?",
        ),
        (
            "[train]",
            "[data.split]\nvalid = 0.6\ntest = 0.6\n[train]",
            "r.toml:23: data.split.valid: 0.6 must be at least 0, and both shares together below 1",
        ),
        (
            "kind = \"gated\"",
            "kind = \"gated\"\nn_layers = 2",
            "r.toml:21: fusion.n_layers has no effect with fusion.kind = \"gated\": remove it",
        ),
        (
            "kind = \"gated\"",
            "pool = \"mean\"",
            "r.toml:20: fusion.pool has no effect with fusion.kind = \"transformer\": remove it",
        ),
    ] {
        recipe(&RECIPE.replace(from, to));
        check(dir, &["train", "r.toml"], 2, expected);
    }
    std::fs::remove_file(dir.join("r.toml")).unwrap();
    check(
        dir,
        &["train", "tiny.toml", "--set", "batch.size=0"],
        2,
        "--set batch.size=0: batch.size = 0 must be between 1 and 65536",
    );
    check(
        dir,
        &["train", "tiny.toml", "--set", "train.epohcs=3"],
        2,
        "--set train.epohcs=3: unknown key `epohcs`; did you mean `epochs`?",
    );
    check(
        dir,
        &["train", "tiny.toml", "--set", "epochs"],
        2,
        "is not of the form key=value",
    );
    check(
        dir,
        &["train", "av-digit"],
        2,
        "there is no recipe \"av-digit\"; the built-in ones are av-digits",
    );
    check(dir, &["train", "none.toml"], 1, "none.toml: No such file");
}

#[test]
fn wrong_uses_are_told_from_failures() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir);
    for args in [
        &["train", "--backend", "felx"][..],
        &["trian"],
        &["train", "av-digits", "--resume", "runs/av-digits"],
    ] {
        bare(dir).args(args).assert().code(2);
    }
    for lacking in sensorium_runtime::missing(&sensorium_runtime::devices()) {
        let backend = lacking.backend.to_string();
        let train = ["train", "tiny.toml", "--data", "pets.csv", "--backend"];
        let args = [&train[..], &[&backend]].concat();
        check_command(dir, bare(dir), &args, 2, lacking.add);
    }
    check(dir, &["eval", "nowhere"], 1, "nowhere: is not a folder");
    check(
        dir,
        &["predict", "nowhere"],
        2,
        "nothing to answer to: give --text, --image, --audio or --input",
    );
    check(
        dir,
        &["predict", "nowhere", "--input", "x"],
        2,
        "is not of the form MODALITY=FILE",
    );
    std::fs::write(dir.join("file"), "").unwrap();
    check(
        dir,
        &[
            "train",
            "tiny.toml",
            "--data",
            "pets.csv",
            "--out",
            "file/run",
        ],
        1,
        "file/run",
    );
}
