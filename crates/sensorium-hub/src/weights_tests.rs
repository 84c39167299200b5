//! Files, shards and folders: what is opened, and what is refused by name.

use std::fs;

use super::*;

fn safetensors(tensors: &[(&str, &[f32])]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, values), bytes)| {
        let shape = vec![values.len()];
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes);
        (name.to_string(), view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn open(&self, name: &str) -> Result<Weights, Error> {
        Weights::open(&self.0.path().join(name))
    }

    fn refused(&self, name: &str) -> String {
        let message = self.open(name).unwrap_err().to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }
}

fn index(pairs: &[(&str, &str)]) -> Vec<u8> {
    let map: BTreeMap<_, _> = pairs.iter().copied().collect();
    serde_json::to_vec(&serde_json::json!({"metadata": {"total_size": 8}, "weight_map": map}))
        .unwrap()
}

#[test]
fn one_file_or_many_are_one_set_of_tensors() {
    let one = safetensors(&[("a", &[1.0, 2.0]), ("b", &[3.0])]);
    let (first, second) = (
        safetensors(&[("a", &[1.0, 2.0])]),
        safetensors(&[("b", &[3.0])]),
    );
    let shards = index(&[("a", "x-1.safetensors"), ("b", "x-2.safetensors")]);
    for folder in [
        Folder::new(&[("model.safetensors", &one)]),
        Folder::new(&[
            ("model.safetensors.index.json", &shards),
            ("x-1.safetensors", &first),
            ("x-2.safetensors", &second),
        ]),
    ] {
        let weights = folder.open("").unwrap();
        assert_eq!(weights.names().collect::<Vec<_>>(), ["a", "b"]);
        let a = weights.get("a").unwrap();
        assert_eq!((a.shape, a.count()), (&[2][..], 2));
        assert_eq!(a.to_f32().unwrap(), [1.0, 2.0]);
        assert_eq!(weights.get("b").unwrap().to_f32().unwrap(), [3.0]);
        assert!(weights.get("c").is_none());
        assert_eq!(weights.iter().count(), weights.len());
    }
}

#[test]
fn shards_stay_beside_their_index() {
    let long = "x".repeat(300);
    for name in [
        "../x",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        "a\\b",
        "c:x",
        "a\nb",
        "a\0",
        &long,
    ] {
        let folder = Folder::new(&[("i.json", &index(&[("a", name)]))]);
        let message = folder.refused("i.json");
        assert!(
            message.contains("which is not a file beside it"),
            "{name:?}: {message}"
        );
    }
}

#[test]
fn an_index_that_its_shards_do_not_bear_out_is_refused() {
    let (a, b) = (
        safetensors(&[("a", &[1.0])]),
        safetensors(&[("a", &[2.0]), ("b", &[3.0])]),
    );
    let files = |index: &[u8]| Folder::new(&[("i.json", index), ("1", &a), ("2", &b)]);
    let missing = files(&index(&[("z", "1")])).refused("i.json");
    assert!(missing.contains("tensor z: is not in 1"), "{missing}");
    let elsewhere = files(&index(&[("b", "1"), ("a", "1")])).refused("i.json");
    assert!(elsewhere.contains("tensor b: is not in 1"), "{elsewhere}");
    let twice = files(&index(&[("a", "1"), ("b", "2")])).refused("i.json");
    assert!(
        twice.contains("tensor a: is in ") && twice.contains(" too"),
        "{twice}"
    );
    let both = files(br#"{"weight_map":{"a":"1","a":"2"}}"#).refused("i.json");
    assert!(both.contains("a stands there twice"), "{both}");
    let skipped = files(b"{\"metadata\":\"\xff\",\"weight_map\":{}}").refused("i.json");
    assert!(skipped.contains("is no index of shards"), "{skipped}");
    let absent = files(&index(&[("a", "3")])).refused("i.json");
    assert!(absent.contains("3: cannot be read"), "{absent}");
    assert!(
        files(b"{}")
            .refused("i.json")
            .contains("is no index of shards")
    );
    assert!(
        files(b"\xff")
            .refused("i.json")
            .contains("is no index of shards")
    );
}

#[test]
fn a_pickle_is_refused_with_what_converts_it() {
    let folder = Folder::new(&[("pytorch_model.bin", b"\x80\x02"), ("config.json", b"{}")]);
    for name in ["", "pytorch_model.bin"] {
        let message = folder.refused(name);
        assert!(
            message.contains("pytorch_model.bin: is a pickle"),
            "{message}"
        );
        assert!(
            message.contains("python -c") && message.contains("model.safetensors"),
            "{message}"
        );
    }
}

#[test]
fn the_models_pickle_is_meant_and_all_of_its_shards() {
    let folder = Folder::new(&[("optimizer.pt", b""), ("pytorch_model.bin", b"")]);
    let message = folder.refused("");
    assert!(
        message.contains("pytorch_model.bin: is a pickle"),
        "{message}"
    );
    let shards = [
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
    ];
    let message = Folder::new(&shards.map(|name| (name, &b""[..]))).refused("");
    assert!(message.contains("pytorch_model-*.bin')"), "{message}");
    assert!(message.contains("glob.glob('"), "{message}");
}

#[test]
fn a_path_is_quoted_for_python_within_the_shells_quotes() {
    let quoted = |path: &str| super::quoted(Path::new(path));
    assert_eq!(quoted("a/b c.bin"), "'a/b c.bin'");
    assert_eq!(quoted("it's"), r"'it\\'s'");
    assert_eq!(quoted(r#"$x`y"z"#), r#"'\$x\`y\"z'"#);
}

#[test]
fn a_folder_without_weights_says_what_it_has() {
    assert!(Folder::new(&[]).refused("").contains("it has nothing"));
    let message = Folder::new(&[("config.json", b"{}"), ("README.md", b"")]).refused("");
    assert!(
        message.contains("it has README.md, config.json"),
        "{message}"
    );
}

#[test]
fn what_is_no_file_or_empty_is_refused() {
    let folder = Folder::new(&[("empty.safetensors", b"")]);
    assert!(
        folder
            .refused("empty.safetensors")
            .contains("is cut off: 0 bytes")
    );
    assert!(
        folder
            .refused("absent.safetensors")
            .contains("cannot be read")
    );
}

#[test]
fn whole_numbers_are_no_weights() {
    let bytes = 5i64.to_le_bytes();
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::I64, vec![], &bytes).unwrap();
    let file = safetensors::serialize([("n", view)], None).unwrap();
    let folder = Folder::new(&[("n.safetensors", &file)]);
    let weights = folder.open("n.safetensors").unwrap();
    let message = weights.get("n").unwrap().to_f32().unwrap_err().to_string();
    assert!(
        message.contains("tensor n: holds I64, not real numbers"),
        "{message}"
    );
    assert_eq!(weights.get("n").unwrap().count(), 1);
}
