//! Answers that are texts: learned from a relation that is there, measured in the run as by hand, and again from the exported model.

#[allow(dead_code, reason = "each test takes what it needs")]
mod spots;
#[allow(dead_code, reason = "each test takes what it needs")]
mod told;
#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::path::Path;

use burn::tensor::{Device, Tensor};
use sensorium_core::Source;
use sensorium_eval::Metric;
use sensorium_recipe::{Finished, Options, Part, Recipe, RunEmbedder, SavedModel, Silent, resume};
use spots::{IMAGE, pictures};
use told::{Told, manifest, sums};
use toy::{Seen, recipe, run};

const SETS: [&str; 8] = [
    "objective.kind=text",
    "batch.size=8",
    "encoders.text.d_model=16",
    "encoders.text.vocab_size=80",
    "decoder.vocab_size=280",
    "decoder.max_tokens=24",
    "decoder.d_model=16",
    "decoder.n_heads=2",
];

fn sets<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SETS, more].concat()
}

/// The second number first.
fn swapped() -> Vec<Told> {
    let names = ["nil", "I", "II", "III", "IV", "V"];
    sums(|a, b| format!("{} {}", names[b], names[a]))
}

/// The test rows, as they stand in a manifest.
fn tested(manifest: &Path) -> Vec<Told> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let rows = text.lines().map(cells).filter(|cells| cells[2] == "test");
    rows.map(|cells| (cells[0].clone(), cells[1].trim_matches('"').to_owned()))
        .collect()
}

fn ask(model: &SavedModel, text: &str) -> String {
    let input = [("text".to_owned(), Source::text(text))];
    let answer = model.predict(&input).unwrap();
    assert!(answer.scores.is_empty() && answer.numbers.is_empty());
    answer.text.unwrap()
}

#[test]
fn texts_are_learned_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &swapped());
    let out = dir.path().join("run");
    let recipe = recipe(&data, &sets(&["train.epochs=60"]));
    let done = run(recipe, &out, &mut Silent).unwrap();
    let test = done.metrics.text.clone().unwrap();
    assert!(test.exact_match.unwrap() > 0.7, "{test:?}");
    // Two words are too few for it.
    assert!(test.loss.unwrap() > 0.0 && test.bleu.is_none());

    let model = SavedModel::open(&out, &Device::flex()).unwrap();
    let rows = tested(&data);
    let right = rows
        .iter()
        .filter(|(text, label)| ask(&model, text) == *label);
    let by_hand = right.count() as f64 / rows.len() as f64;
    assert!((test.exact_match.unwrap() - by_hand).abs() < 1e-12);

    let again = model.measure(None, None, &[], None, &mut Silent).unwrap();
    assert_eq!((again.part, again.text), (Part::Test, Some(test)));
    assert_eq!(Some(again.ablation), done.metrics.ablation);
    let metrics = std::fs::read_to_string(out.join("metrics.json")).unwrap();
    for key in ["exact_match", "bleu", "loss", "perplexity"] {
        assert!(metrics.contains(&format!("\"{key}\"")), "{key}");
    }
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.contains("test exact match") && html.contains("what the model wrote"));
    let resolved = std::fs::read_to_string(out.join("recipe.toml")).unwrap();
    assert!(resolved.contains("label_smoothing = 0.1") && !resolved.contains("[fusion]"));

    let embedder = RunEmbedder::open(&out, &Device::flex()).unwrap();
    let text = embedder.modality("text").unwrap();
    let sample = embedder
        .prepare(text, &Source::text("one and two"))
        .unwrap();
    let vectors: Tensor<2> = embedder.embed(&[sample]);
    assert_eq!(vectors.dims(), [1, 16]);
}

#[test]
fn beams_write_what_is_no_less_likely() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &swapped());
    let out = dir.path().join("run");
    let more = [
        "train.epochs=20",
        "decoder.beams=3",
        "decoder.length_penalty=0.6",
    ];
    let done = run(recipe(&data, &sets(&more)), &out, &mut Silent).unwrap();
    let test = done.metrics.text.unwrap();
    let model = SavedModel::open(&out, &Device::flex()).unwrap();
    let again = model.measure(None, None, &[], None, &mut Silent).unwrap();
    assert_eq!(again.text, Some(test));
}

fn weights(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("model/model.safetensors")).unwrap()
}

#[test]
fn a_run_on_texts_that_is_stopped_ends_in_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &swapped());
    let more = ["decoder.dropout=0.1", "train.schedule=inverse_sqrt"];
    let recipe = || recipe(&data, &sets(&more));
    let (whole, out) = (dir.path().join("whole"), dir.path().join("stopped"));
    run(recipe(), &whole, &mut Silent).unwrap();
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut seen = Seen {
            at_step: Some(Box::new(|step| assert!(step < 5, "stopped"))),
            ..Seen::default()
        };
        drop(run(recipe(), &out, &mut seen));
    }));
    assert!(stopped.is_err());
    let device = Device::flex();
    let done = resume(&out, &Options::new(&device, "flex"), &mut Silent).unwrap();
    assert_eq!(weights(&out), weights(&whole));
    assert_eq!(done.metrics.summary().unwrap().metric, Metric::ExactMatch);
}

#[test]
fn a_stage_goes_on_with_what_the_one_before_wrote_with() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &swapped());
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    run(recipe(&data, &sets(&[])), &first, &mut Silent).unwrap();
    let after = format!("after={:?}", first.display().to_string());
    let more = ["train.steps=1", "train.lr=1e-12", after.as_str()];
    run(recipe(&data, &sets(&more)), &second, &mut Silent).unwrap();
    let score = |out: &Path| {
        let model = SavedModel::open(out, &Device::flex()).unwrap();
        let measured = model.measure(None, None, &[], None, &mut Silent).unwrap();
        measured.text.unwrap().loss.unwrap()
    };
    assert!((score(&first) - score(&second)).abs() < 1e-4);
}

#[test]
fn what_is_too_long_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &swapped());
    let mut seen = Seen::default();
    let more = ["decoder.max_tokens=3", "train.epochs=1"];
    let out = dir.path().join("run");
    run(recipe(&data, &sets(&more)), &out, &mut seen).unwrap();
    let told = seen
        .notes
        .iter()
        .find(|note| note.contains("decoder.max_tokens = 3"));
    assert!(told.is_some(), "{:?}", seen.notes);
}

fn captions(data: &Path, encoders: &str) -> Recipe {
    let text = format!(
        "name = \"captions\"\n[data]\npath = {:?}\n[batch]\nsize = 8\n{encoders}\n[objective]\nkind = \"text\"\n[decoder]\n\
         vocab_size = 280\nmax_tokens = 16\nd_model = 16\nn_heads = 2\nn_layers = 1\n[train]\nepochs = 60\nlr = 1e-2\n",
        data.display().to_string()
    );
    Recipe::parse("captions.toml", &text, &[]).unwrap()
}

/// As vision-language models are trained: what writes learns first, and then everything. What the run's folder holds is a recipe again.
#[test]
fn a_prefix_is_learned_in_stages_and_its_recipe_can_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = pictures(dir.path());
    let text = format!(
        "name = \"captions\"\n[data]\npath = {:?}\n[batch]\nsize = 8\n{IMAGE}stem = {{ halvings = 1, width = 4 }}\n[objective]\n\
         kind = \"text\"\n[decoder]\nkind = \"prefix\"\nvocab_size = 280\nmax_tokens = 16\nd_model = 16\nn_heads = 2\n\
         n_layers = 1\n[train]\nepochs = 40\nlr = 1e-2\n[[stages]]\nname = \"words\"\nset = [\"frozen=[\\\"image\\\"]\", \
         \"train.epochs=20\"]\n",
        data.display().to_string()
    );
    let recipe = Recipe::parse("captions.toml", &text, &[]).unwrap();
    let out = dir.path().join("run");
    let done = run(recipe, &out, &mut Silent).unwrap();
    let test = done.metrics.text.unwrap();
    assert!(test.exact_match.unwrap() > 0.6, "{test:?}");
    let first = out.join("stages/words");
    let of = |run: &Path, part: &str| {
        let bytes = std::fs::read(run.join("model/model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let own = file.iter().filter(|(name, _)| name.starts_with(part));
        let mut names: Vec<String> = own.map(|(name, _)| name.to_owned()).collect();
        names.sort();
        assert!(!names.is_empty(), "{part}");
        names
    };
    for part in ["encoders.image.stem.", "decoder.prefix.", "decoder.lm."] {
        assert_eq!(of(&out, part), of(&first, part));
    }
    let written = std::fs::read_to_string(out.join("recipe.toml")).unwrap();
    assert!(!written.contains("positions"), "{written}");
    let again = Recipe::parse("recipe.toml", &written, &[]).unwrap();
    let other = ["decoder.kind=cross".to_owned()];
    Recipe::parse("recipe.toml", &written, &other).unwrap();
    assert_eq!(
        again.decoder,
        Recipe::parse("t", &text, &[]).unwrap().decoder
    );
}

#[test]
fn a_picture_has_a_caption_and_so_have_a_picture_and_a_text() {
    let dir = tempfile::tempdir().unwrap();
    let data = pictures(dir.path());
    let text = "[encoders.text]\nvocab_size = 40\nmax_tokens = 8\nd_model = 8\nn_layers = 1\nn_heads = 2\n";
    let both = format!("{IMAGE}{text}[fusion]\nkind = \"bottleneck\"\nd_model = 16\nn_heads = 2\n");
    for (name, encoders) in [("image", IMAGE), ("both", both.as_str())] {
        let out = dir.path().join(name);
        let Finished { metrics, .. } = run(captions(&data, encoders), &out, &mut Silent).unwrap();
        let test = metrics.text.as_ref().unwrap();
        assert!(test.exact_match.unwrap() > 0.6, "{name}: {test:?}");
        let ablation = metrics.ablation.unwrap();
        assert_eq!(ablation.rows.len(), if name == "both" { 3 } else { 1 });
        let model = SavedModel::open(&out, &Device::flex()).unwrap();
        let picture = Source::path(dir.path().join("30.bmp"));
        let mut inputs = vec![("image".to_owned(), picture)];
        if name == "both" {
            inputs.push(("text".to_owned(), Source::text("little")));
        }
        let answer = model.predict(&inputs).unwrap();
        assert!(answer.text.unwrap().starts_with("a "));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let parse = |text: &str| {
        let text = format!("name = \"t\"\n[encoders.text]\n{text}");
        Recipe::parse("t.toml", &text, &[]).unwrap_err().to_string()
    };
    for (text, said) in [
        ("[objective]\nkind = \"txt\"", "did you mean `text`?"),
        (
            "[decoder]\nn_layers = 1",
            "t.toml:3: decoder has no effect with objective.kind = \"cross-entropy\"",
        ),
        (
            "[objective]\nkind = \"text\"\n[decoder]\nkind = \"cros\"",
            "did you mean `cross`?",
        ),
        (
            "[objective]\nkind = \"text\"\n[decoder]\nlayers = 1",
            "did you mean `n_layers`?",
        ),
        (
            "[objective]\nkind = \"text\"\n[decoder]\nvocab_size = 100",
            "decoder.vocab_size: 100 must be 264 to 1048576",
        ),
        (
            "[objective]\nkind = \"text\"\n[decoder]\nn_heads = 3",
            "decoder.d_model: 64 must be a multiple of n_heads = 3",
        ),
        (
            "[objective]\nkind = \"text\"\n[decoder]\nmax_tokens = 2",
            "decoder.max_tokens: 2 must be at least 3",
        ),
        (
            "[objective]\nkind = \"text\"\n[decoder]\nkind = \"prefix\"\norder = \"post\"",
            "decoder.order has no effect with decoder.kind = \"prefix\": remove it",
        ),
        (
            "[objective]\nkind = \"text\"\n[decoder]\nbeams = 0",
            "decoder.beams: 0 must be 1 to 64",
        ),
        (
            "[objective]\nkind = \"text\"\ngamma = 1.0",
            "objective.gamma has no effect",
        ),
        (
            "[objective]\nkind = \"text\"\n[data]\nlabels = [\"a\"]",
            "data.labels has no effect",
        ),
        (
            "[objective]\nkind = \"text\"\n[data]\nlabels_per_class = 3",
            "data.labels_per_class has no effect",
        ),
        (
            "[objective]\nkind = \"text\"\n[data.columns]\nlabel_separator = \";\"",
            "label_separator has no effect",
        ),
        (
            "[objective]\nkind = \"text\"\n[train]\nmetric = \"blue\"",
            "did you mean \"bleu\"?",
        ),
    ] {
        let error = parse(text);
        assert!(error.contains(said), "{text}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &swapped());
    let text = std::fs::read_to_string(&data).unwrap();
    std::fs::write(&data, text + "one and nothing,,train\n").unwrap();
    let error = run(
        recipe(&data, &sets(&[])),
        &dir.path().join("run"),
        &mut Silent,
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("the row has no text that is to be written"),
        "{error}"
    );
}

#[test]
fn a_model_without_its_vocabulary_is_refused_in_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &swapped());
    let out = dir.path().join("run");
    run(recipe(&data, &sets(&["train.epochs=1"])), &out, &mut Silent).unwrap();
    let tokenizer = out.join("model/decoder/tokenizer.json");
    for broken in [
        "{}",
        "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}, \"unk_token\": \"a\"}}",
    ] {
        std::fs::write(&tokenizer, broken).unwrap();
        let error = SavedModel::open(&out, &Device::flex())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("tokenizer") && !error.contains('\n'),
            "{error}"
        );
    }
    std::fs::remove_file(&tokenizer).unwrap();
    assert!(SavedModel::open(&out, &Device::flex()).is_err());
}
