//! Reading a file takes memory for what it holds, never for what it claims to hold.
//!
//! One test in a program of its own: what is counted is all that the program allocates.

use std::path::Path;

use peak_alloc::PeakAlloc;
use sensorium_hub::Weights;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes that reading may take at once for each byte of a file. The worst is a header of empty names and numbers, of which
/// each has a place in a map or list; data takes none.
const PER_BYTE: usize = 16;

/// For paths, messages and what a message is made from.
const BESIDES: usize = 8 << 10;

/// The most memory that opening the file took at once, besides the file's own bytes.
fn peak(file: Vec<u8>) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let opened = Weights::from_bytes("m.safetensors", file);
    let peak = MEMORY.peak_usage() - before;
    drop(opened);
    peak
}

fn check(name: &str, file: Vec<u8>) {
    let length = file.len();
    let peak = peak(file);
    println!("{name}: {length} bytes took {peak}"); // seen with `--nocapture`
    let allowed = length * PER_BYTE + BESIDES;
    assert!(peak <= allowed, "{name} of {length} bytes took {peak}");
}

fn file(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

/// Headers with many of one thing: one more than a list that doubles has place for.
fn many() -> [(&'static str, String); 8] {
    const MANY: usize = (1 << 16) + 1;
    let list = |of: fn(usize) -> String| (0..MANY).map(of).collect::<Vec<_>>().join(",");
    let zeros = list(|_| "0".to_owned());
    let breaks = "\\n".repeat(MANY);
    let metadata = list(|i| format!(r#""{i:x}":"""#));
    let tensors = list(|i| format!(r#""{i:x}":["U8",[0],[0,0]]"#));
    let empty = list(|_| "[]".to_owned());
    [
        ("shape", format!(r#"{{"w":{{"shape":[{zeros}]}}}}"#)),
        (
            "shape of no elements",
            format!(r#"{{"w":["U8",[{zeros}],[0,0]]}}"#),
        ),
        ("metadata", format!(r#"{{"__metadata__":{{{metadata}}}}}"#)),
        ("tensors", format!("{{{tensors}}}")),
        ("unknown", format!(r#"{{"w":{{"x":[{empty}]}}}}"#)),
        ("name", format!(r#"{{"{breaks}":0}}"#)),
        ("dtype", format!(r#"{{"w":["{breaks}",[],[0,0]]}}"#)),
        ("text", format!(r#"{{"w":["U8","{breaks}"]}}"#)),
    ]
}

#[test]
fn memory_is_bounded_by_the_size_of_the_file() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/safetensors");
    let files = std::fs::read_dir(corpus).expect("the corpus");
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for path in files {
        check(&path.to_string_lossy(), std::fs::read(&path).unwrap());
    }
    for (name, header) in many() {
        check(name, file(&header));
    }
    // A header as large as is allowed, claimed by eight bytes.
    check("claim", 100_000_000u64.to_le_bytes().to_vec());
    // Data, however large, is not copied.
    let header = r#"{"w":{"dtype":"F32","shape":[1048576],"data_offsets":[0,4194304]}}"#;
    let mut large = file(header);
    large.resize(large.len() + (4 << 20), 0);
    assert!(peak(large) < BESIDES);
}
