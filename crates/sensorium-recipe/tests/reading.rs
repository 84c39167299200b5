//! A decoder that reads a text itself, alone and beside pictures: `[encoders.text] from = "decoder"`.

#[allow(dead_code, reason = "each test takes what it needs")]
mod spots;
#[allow(dead_code, reason = "each test takes what it needs")]
mod told;
#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_recipe::{Recipe, RunEmbedder, SavedModel, Silent};
use toy::run;

const DECODER: &str = "[encoders.text]\nfrom = \"decoder\"\n[objective]\nkind = \"text\"\n[decoder]\nkind = \"prefix\"\nvocab_size = 280\n\
                       max_tokens = 24\nd_model = 16\nn_heads = 2\nn_layers = 2\n";

fn recipe(data: &Path, encoders: &str, train: &str) -> Recipe {
    let text = format!(
        "name = \"reader\"\n[data]\npath = {:?}\n[batch]\nsize = 8\n{encoders}{DECODER}[train]\nlr = 1e-2\n{train}",
        data.display().to_string()
    );
    Recipe::parse("reader.toml", &text, &[]).unwrap()
}

/// Names of the weights of a run's model.
fn parameters(run: &Path) -> Vec<String> {
    let bytes = std::fs::read(run.join("model/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.names().into_iter().map(str::to_owned).collect()
}

/// A language model alone: a text is read, and another written after it.
#[test]
fn a_text_is_read_and_answered_by_one_model() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["nil", "I", "II", "III", "IV", "V"];
    let swapped = told::sums(|a, b| format!("{} {}", names[b], names[a]));
    let data = told::manifest(dir.path(), &swapped);
    let out = dir.path().join("run");
    let done = run(recipe(&data, "", "epochs = 60\n"), &out, &mut Silent).unwrap();
    let test = done.metrics.text.clone().unwrap();
    assert!(test.exact_match.unwrap() > 0.5, "{test:?}");
    let names = parameters(&out);
    assert!(
        names.iter().all(|name| name.starts_with("decoder.lm.")),
        "{names:?}"
    );

    let model = SavedModel::open(&out, &Device::flex()).unwrap();
    let again = model.measure(None, None, &[], None, &mut Silent).unwrap();
    assert_eq!(again.text, Some(test));
    let input = [("text".to_owned(), Source::text("one and two"))];
    assert!(model.predict(&input).unwrap().text.is_some());
    let embedder = RunEmbedder::open(&out, &Device::flex()).unwrap();
    let text = embedder.modality("text").unwrap();
    let sample = embedder.prepare(text, &Source::text("one and two"));
    assert_eq!(embedder.embed(&[sample.unwrap()]).dims(), [1, 16]);
}

/// The answer hangs on the picture and on what is asked about it; each may be absent.
#[test]
fn a_question_about_a_picture_is_read_where_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let data = spots::questions(dir.path());
    let out = dir.path().join("run");
    let recipe = recipe(&data, spots::IMAGE, "epochs = 60\n");
    let done = run(recipe, &out, &mut Silent).unwrap();
    let test = done.metrics.text.unwrap();
    assert!(test.exact_match.unwrap() > 0.8, "{test:?}");
    let ablation = done.metrics.ablation.unwrap();
    assert_eq!(ablation.rows.len(), 3);
    let names = parameters(&out);
    let own = |part: &str| names.iter().any(|name| name.starts_with(part));
    assert!(own("encoders.image.") && own("decoder.prefix.") && !own("encoders.text"));

    // What the folder says of itself is a recipe again, with nothing that has no say.
    let written = std::fs::read_to_string(out.join("recipe.toml")).unwrap();
    assert!(
        !written.contains("tune") && !written.contains("[fusion]"),
        "{written}"
    );
    Recipe::parse("recipe.toml", &written, &[]).unwrap();
    let model = SavedModel::open(&out, &Device::flex()).unwrap();
    let picture = || ("image".to_owned(), Source::path(dir.path().join("30.bmp")));
    let ask = |question: &str| {
        let inputs = [picture(), ("text".to_owned(), Source::text(question))];
        model.predict(&inputs).unwrap().text.unwrap()
    };
    assert_eq!([ask("how large?"), ask("what colour?")], ["small", "red"]);
    assert!(model.predict(&[picture()]).unwrap().text.is_some());
}

/// A run that goes on from another splits texts as that one did, or its table of tokens would say nothing.
#[test]
fn a_vocabulary_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let data = told::manifest(dir.path(), &told::sums(|a, b| format!("{}", a + b)));
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    run(recipe(&data, "", "epochs = 20\n"), &first, &mut Silent).unwrap();
    let others = dir.path().join("others");
    std::fs::create_dir(&others).unwrap();
    let other = told::manifest(
        &others,
        &told::sums(|a, b| format!("{a} plus {b} makes more")),
    );
    let mut next = recipe(&other, "", "steps = 1\n");
    next.after = Some(first.clone());
    run(next, &second, &mut Silent).unwrap();
    let tokens = |run: &Path| std::fs::read(run.join("model/decoder/tokenizer.json")).unwrap();
    assert_eq!(tokens(&first), tokens(&second));
    // What it learned is still there.
    let device = Device::flex();
    let model = SavedModel::open(&second, &device).unwrap();
    let loss = |data: &Path| {
        let measured = model.measure(Some(data), None, &[], None, &mut Silent);
        measured.unwrap().text.unwrap().loss.unwrap()
    };
    assert!(
        loss(&data) < loss(&other),
        "{} {}",
        loss(&data),
        loss(&other)
    );
}

/// Captions first, as vision-language models learn, and then questions, which the same decoder reads.
#[test]
fn a_decoder_that_did_not_read_goes_on_and_reads() {
    let dir = tempfile::tempdir().unwrap();
    let data = spots::questions(dir.path());
    let recipe = |more: &str| recipe(&data, spots::IMAGE, more);
    let out = dir.path().join("run");
    let staged = "epochs = 1\n[[stages]]\nname = \"captions\"\nset = [\"encoders.text=\", \"train.epochs=2\"]\n";
    let mut seen = toy::Seen::default();
    run(recipe(staged), &out, &mut seen).unwrap();
    let tokens = |run: &Path| std::fs::read(run.join("model/decoder/tokenizer.json")).unwrap();
    assert_eq!(tokens(&out.join("stages/captions")), tokens(&out));
    assert!(
        !seen.notes.iter().any(|note| note.contains("anew")),
        "{:?}",
        seen.notes
    );

    // Another decoder begins anew, and says so.
    let other = staged.replace("train.epochs=2", "decoder.n_layers=1");
    let mut seen = toy::Seen::default();
    run(recipe(&other), &dir.path().join("other"), &mut seen).unwrap();
    assert!(
        seen.notes.iter().any(|note| note.contains("anew")),
        "{:?}",
        seen.notes
    );
}

/// What sees may learn without labels before anything is written.
#[test]
fn an_encoder_learns_first_where_a_decoder_reads() {
    let dir = tempfile::tempdir().unwrap();
    let data = spots::questions(dir.path());
    let first = "epochs = 1\n[pretrain.image]\nobjective = { kind = \"masked-autoencoder\" }\n[pretrain.image.train]\nepochs = 1\n";
    let out = dir.path().join("run");
    run(recipe(&data, spots::IMAGE, first), &out, &mut Silent).unwrap();
    SavedModel::open(&out, &Device::flex()).unwrap();
}

#[test]
fn what_cannot_be_read_is_refused() {
    let parse = |text: &str| {
        let text = format!("name = \"t\"\n{text}");
        Recipe::parse("t.toml", &text, &[]).unwrap_err().to_string()
    };
    let reads = "[encoders.text]\nfrom = \"decoder\"\n";
    let writes = "[objective]\nkind = \"text\"\n[decoder]\nkind = \"prefix\"\n";
    for (text, said) in [
        (
            "[encoders.image]\nfrom = \"decoder\"\n[objective]\nkind = \"text\"\n".to_owned(),
            "encoders.image.from = \"decoder\": a decoder reads texts alone",
        ),
        (reads.to_owned(), "use objective.kind = \"text\""),
        (
            format!("{reads}[objective]\nkind = \"text\"\n"),
            "use decoder.kind = \"prefix\"",
        ),
        (
            format!("{reads}tune = \"whole\"\n{writes}"),
            "`tune` speaks of a published encoder",
        ),
        (
            format!("frozen = [\"text\"]\n{reads}{writes}"),
            "take \"text\" out of `frozen`",
        ),
        (
            format!("{reads}{writes}[lora]\non = [\"encoders.text.*\"]\n"),
            "names no encoder of the recipe",
        ),
        (
            format!("{reads}{writes}[start]\ntext = \"runs/a\"\n"),
            "take [start] and [pretrain] of text away",
        ),
    ] {
        let error = parse(&text);
        assert!(error.contains(said), "{error}");
    }
}
