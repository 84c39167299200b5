//! A published causal language model as the decoder of a recipe: `[decoder] from`.

#[allow(dead_code, reason = "each test takes what it needs")]
mod spots;
#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_recipe::{Recipe, SavedModel, Silent, merge};
use toy::run;

fn fixture(name: &str) -> PathBuf {
    let fixtures = "../sensorium-models/tests/fixtures";
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(fixtures)
        .join(name)
}

/// A copy of a checkpoint, which can be taken away.
fn copied(name: &str, dir: &Path) -> PathBuf {
    let to = dir.join(name);
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(fixture(name)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    to
}

/// Questions about pictures, read and answered by a checkpoint's model.
fn recipe(data: &Path, from: &Path, more: &str) -> Recipe {
    let text = format!(
        "name = \"published\"\n[data]\npath = {:?}\n[batch]\nsize = 8\n{}[encoders.text]\nfrom = \"decoder\"\n[objective]\nkind = \
         \"text\"\nlabel_smoothing = 0.0\n[decoder]\nkind = \"prefix\"\nfrom = {:?}\nmax_tokens = 24\n{more}",
        data.display().to_string(),
        spots::IMAGE,
        from.display().to_string(),
    );
    Recipe::parse("published.toml", &text, &[]).unwrap()
}

/// The weights of a safetensors file, by name.
fn weights(file: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weights = file.iter();
    weights
        .map(|(name, view)| (name.to_owned(), view.data().to_vec()))
        .collect()
}

/// As vision-language models are made of published parts: the projector first, and then what is added to the language model.
#[test]
fn a_published_model_learns_to_answer_about_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let data = spots::questions(dir.path());
    let from = copied("ready-llama", dir.path());
    let more = "[lora]\non = [\"decoder.lm.model.*\"]\nalso = [\"encoders.*\", \"decoder.prefix.*\"]\nrank = 4\n[train]\nepochs = 40\n\
                lr = 1e-2\n[[stages]]\nname = \"projector\"\nset = [\"lora=\", \"train.epochs=4\", \
                \"train.groups=[{ parameters = [\\\"decoder.lm.*\\\"], frozen = true }]\"]\n";
    let out = dir.path().join("run");
    let done = run(recipe(&data, &from, more), &out, &mut Silent).unwrap();
    let test = done.metrics.text.unwrap();
    assert!(test.exact_match.unwrap() > 0.6, "{test:?}");

    // While the projector learned, the language model stayed as it came.
    let first = weights(&out.join("stages/projector/model/model.safetensors"));
    let published = weights(&from.join("model.safetensors"));
    let table = &published["model.embed_tokens.weight"];
    assert_eq!(&first["decoder.lm.model.token.weight"], table);

    // The folder is enough: neither hub nor checkpoint is asked again.
    std::fs::remove_dir_all(&from).unwrap();
    assert!(out.join("model/decoder/config.json").is_file());
    let model = SavedModel::open(&out, &Device::flex()).unwrap();
    let again = model.measure(None, None, &[], None, &mut Silent).unwrap();
    assert_eq!(again.text, Some(test));

    // What was added is put onto what it was added to, and is the same model.
    let merged = dir.path().join("merged");
    let (base, adapter) = (out.join("stages/projector"), out.join("adapter"));
    merge(&base, &adapter, &merged, &Device::flex()).unwrap();
    let of = |run: &Path| {
        let model = SavedModel::open(run, &Device::flex()).unwrap();
        let measured = model.measure(None, None, &[], None, &mut Silent).unwrap();
        measured.text.unwrap()
    };
    let (found, expected) = (of(&merged), of(&out));
    assert_eq!(found.exact_match, expected.exact_match);
    assert!((found.loss.unwrap() - expected.loss.unwrap()).abs() < 1e-4);
    let inputs = [
        ("image", Source::path(dir.path().join("30.bmp"))),
        ("text", Source::text("what colour?")),
    ];
    let inputs = inputs.map(|(name, source)| (name.to_owned(), source));
    assert!(model.predict(&inputs).unwrap().text.is_some());
    let written = std::fs::read_to_string(out.join("recipe.toml")).unwrap();
    assert!(!written.contains("vocab_size"), "{written}");
    Recipe::parse("recipe.toml", &written, &[]).unwrap();
}

#[test]
fn what_cannot_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = spots::questions(dir.path());
    for (name, said) in [
        ("ready-gpt2", "use a Llama, Qwen2.5 or Qwen3"),
        ("ready-bert", "does not go on with texts"),
        ("nowhere-at-all", "nowhere-at-all"),
    ] {
        let out = dir.path().join("run");
        let recipe = recipe(&data, &fixture(name), "");
        let error = run(recipe, &out, &mut Silent).err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
    let parse = |table: &str| {
        let text = format!(
            "name = \"t\"\n[encoders.text]\n[objective]\nkind = \"text\"\n[decoder]\nfrom = \"a/b\"\n{table}"
        );
        Recipe::parse("t.toml", &text, &[]).unwrap_err().to_string()
    };
    let error = parse("");
    assert!(
        error.contains("decoder.from has no effect with decoder.kind = \"cross\""),
        "{error}"
    );
    let error = parse("kind = \"prefix\"\nd_model = 8\n");
    assert!(
        error.contains("decoder.d_model has no effect on a decoder that is taken `from`"),
        "{error}"
    );
}

#[test]
fn a_text_that_is_longer_than_the_model_reads_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = spots::questions(dir.path());
    let mut recipe = recipe(&data, &fixture("ready-llama"), "");
    // A text that is read, and one that is written.
    recipe.decoder.as_mut().unwrap().max_tokens = 49;
    let error = run(recipe, &dir.path().join("run"), &mut Silent)
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("reads 96 at most, what is read and what is written together"),
        "{error}"
    );
}
