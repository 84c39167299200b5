//! Fetching from a hub on this machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::*;
use crate::Checkpoint;

/// A hub that has one model, and what it was asked for.
struct Hub {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Default)]
struct Served {
    files: BTreeMap<String, Vec<u8>>,
    /// How many bytes of a file are sent before the connection ends.
    cut: Option<usize>,
    /// A byte of each file is changed on the way.
    damaged: bool,
    token: Option<&'static str>,
}

impl Served {
    fn of(files: &[(&str, &[u8])]) -> Self {
        let files = files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        Self {
            files: files.collect(),
            ..Self::default()
        }
    }

    fn start(self) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (served, log) = (self.clone(), log.clone());
                std::thread::spawn(move || served.answer(stream, &log));
            }
        });
        Hub { address, asked }
    }

    /// Answers requests for ranges, as a hub does, until the connection ends.
    fn answer(&self, mut stream: TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_owned());
            }
            let path = head.first()?.split(' ').nth(1)?.to_owned();
            log.lock().unwrap().push(path.clone());
            let header = |name: &str| {
                let found = head
                    .iter()
                    .find(|line| line.to_lowercase().starts_with(name));
                found.map(|line| line[name.len()..].trim().to_owned())
            };
            let allowed = self.token.is_none_or(|token| {
                header("authorization:").is_some_and(|given| given == format!("Bearer {token}"))
            });
            let file = path.strip_prefix("/owner/name/resolve/main/");
            let file = file.and_then(|name| self.files.get(name));
            match (allowed, file) {
                (false, _) => plain(&mut stream, "401 Unauthorized")?,
                (_, None) => plain(&mut stream, "404 Not Found")?,
                (_, Some(bytes)) => self.send(&mut stream, bytes, header("range:"))?,
            }
        }
    }

    fn send(&self, stream: &mut TcpStream, bytes: &[u8], range: Option<String>) -> Option<()> {
        let range = range.unwrap_or_else(|| "bytes=0-".to_owned());
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let first: usize = first.parse().ok()?;
        let last = last.parse().unwrap_or(bytes.len() - 1);
        let digest: String = Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut part = bytes[first..=last].to_vec();
        if self.damaged {
            part[0] ^= 1;
        }
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\netag: \"{digest}\"\r\nx-repo-commit: c0ffee\r\n\
             content-range: bytes {first}-{last}/{}\r\ncontent-length: {}\r\n\r\n",
            bytes.len(),
            part.len()
        )
        .ok()?;
        match self.cut {
            Some(cut) if part.len() > cut => {
                stream.write_all(&part[..cut]).ok()?;
                stream.shutdown(std::net::Shutdown::Both).ok()?;
                None
            }
            _ => stream.write_all(&part).ok(),
        }
    }
}

fn plain(stream: &mut TcpStream, status: &str) -> Option<()> {
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").ok()
}

fn options(hub: &Hub, cache: &Path) -> RemoteOptions {
    RemoteOptions {
        cache: cache.to_owned(),
        endpoint: Some(hub.address.clone()),
        token: None,
        offline: false,
        progress: false,
    }
}

const CONFIG: &[u8] = br#"{"model_type":"bert"}"#;

fn weights() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend([1.0f32, 2.0].map(f32::to_le_bytes).concat());
    bytes
}

#[test]
fn files_are_fetched_once_and_used_offline_after() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Served::of(&[("config.json", CONFIG), ("model.safetensors", &weights())]).start();
    let mut options = options(&hub, cache.path());
    for _ in 0..2 {
        let model = Checkpoint::open_with("owner/name", &options).unwrap();
        assert_eq!(model.config().unwrap()["model_type"], "bert");
        assert_eq!(
            model.weights().unwrap().get("a").unwrap().to_f32().unwrap(),
            [1.0, 2.0]
        );
    }
    let asked = hub.asked.lock().unwrap().clone();
    let of = |name: &str| asked.iter().filter(|path| path.ends_with(name)).count();
    assert_eq!(
        of("model.safetensors"),
        2,
        "its size, and its bytes: {asked:?}"
    );

    let model = Checkpoint::open_with("owner/name", &options).unwrap();
    assert!(model.optional("tokenizer.json").unwrap().is_none());
    // That there is none is known from now on, without asking.
    let count = || hub.asked.lock().unwrap().len();
    let before = count();
    assert!(model.optional("tokenizer.json").unwrap().is_none());
    assert!(model.file("tokenizer.json").is_err());
    assert_eq!(count(), before);
    options.offline = true;
    options.endpoint = None;
    let model = Checkpoint::open_with("owner/name", &options).unwrap();
    assert_eq!(model.weights().unwrap().len(), 1);
    assert!(model.optional("tokenizer.json").unwrap().is_none());
    let error = model.file("tokenizer.json").unwrap_err().to_string();
    assert_eq!(error, "owner/name: has no tokenizer.json");
    let error = model.file("vocab.txt").unwrap_err().to_string();
    assert_eq!(
        error,
        "owner/name: vocab.txt is not cached, and HF_HUB_OFFLINE forbids to fetch it"
    );
    let other = Checkpoint::open_with("owner/other", &options).unwrap();
    let error = other.config().unwrap_err().to_string();
    assert_eq!(
        error,
        "owner/other: config.json is not cached, and HF_HUB_OFFLINE forbids to fetch it"
    );
}

#[test]
fn shards_are_fetched_with_their_index() {
    let cache = tempfile::tempdir().unwrap();
    let index = br#"{"weight_map":{"a":"model-00001-of-00001.safetensors"}}"#;
    let hub = Served::of(&[
        ("config.json", CONFIG),
        ("model.safetensors.index.json", index),
        ("model-00001-of-00001.safetensors", &weights()),
    ])
    .start();
    let model = Checkpoint::open_with("owner/name", &options(&hub, cache.path())).unwrap();
    assert_eq!(model.weights().unwrap().names().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn half_a_download_or_a_damaged_one_never_passes_for_a_whole_one() {
    for (cut, damaged) in [(Some(5), false), (None, true)] {
        let cache = tempfile::tempdir().unwrap();
        let mut served = Served::of(&[("config.json", CONFIG), ("model.safetensors", &weights())]);
        (served.cut, served.damaged) = (cut, damaged);
        let hub = served.start();
        let model = Checkpoint::open_with("owner/name", &options(&hub, cache.path())).unwrap();
        let error = model.weights().unwrap_err().to_string();
        let expected = match damaged {
            true => "is not what the hub has (its SHA-256 differs); it was not kept, try again",
            false => "owner/name: model.safetensors: ",
        };
        assert!(error.contains(expected), "{error}");
        // The next time, from a sound hub, all is well.
        let sound = Served::of(&[("config.json", CONFIG), ("model.safetensors", &weights())]);
        let hub = sound.start();
        let options = options(&hub, cache.path());
        let offline = RemoteOptions {
            offline: true,
            ..options.clone()
        };
        let cached = Checkpoint::open_with("owner/name", &offline).unwrap();
        assert!(cached.weights().is_err(), "nothing broken is in the cache");
        let model = Checkpoint::open_with("owner/name", &options).unwrap();
        assert_eq!(
            model.weights().unwrap().len(),
            1,
            "cut {cut:?}, damaged {damaged}"
        );
    }
}

#[test]
fn the_hubs_refusals_are_told() {
    let cache = tempfile::tempdir().unwrap();
    let mut served = Served::of(&[("config.json", CONFIG)]);
    served.token = Some("secret");
    let hub = served.start();
    let mut options = options(&hub, cache.path());
    let open = |options: &RemoteOptions| {
        let model = Checkpoint::open_with("owner/name", options).unwrap();
        model.config().map_err(|error| error.to_string())
    };
    let error = open(&options).unwrap_err();
    assert!(error.contains("set HF_TOKEN"), "{error}");
    options.token = Some("secret".to_owned());
    assert!(open(&options).is_ok());
    let model = Checkpoint::open_with("owner/name", &options).unwrap();
    let error = model.weights().unwrap_err().to_string();
    assert_eq!(error, "owner/name: has no model.safetensors");

    options.endpoint = Some("http://127.0.0.1:1".to_owned());
    let model = Checkpoint::open_with("owner/other", &options).unwrap();
    let error = model.config().unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE=1"), "{error}");
}

#[test]
fn a_pickle_on_a_hub_is_refused_without_fetching_it() {
    for file in ["pytorch_model.bin", "pytorch_model.bin.index.json"] {
        let cache = tempfile::tempdir().unwrap();
        let hub = Served::of(&[("config.json", CONFIG), (file, &[b'x'; 5000])]).start();
        let model = Checkpoint::open_with("owner/name", &options(&hub, cache.path())).unwrap();
        model.config().unwrap();
        let error = model.weights().unwrap_err().to_string();
        let expected = format!("owner/name/{file}: is a pickle");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("from_pretrained('owner/name')"), "{error}");
        let model = cache.path().join("models--owner--name");
        let snapshot = model.join("snapshots/c0ffee");
        assert!(snapshot.join("config.json").exists() && !snapshot.join(file).exists());
    }
}

#[test]
fn what_is_no_id_is_refused() {
    let options = RemoteOptions::from(|_| None);
    for id in [
        "",
        "a/b/c",
        "../x",
        "/no/folder",
        "a b",
        ".a/b",
        "a/b@../c",
        "a//b",
    ] {
        let error = Checkpoint::open_with(id, &options).unwrap_err();
        assert!(error.to_string().contains("is no folder"), "{error}");
    }
    let remote = Remote::new("a/b", &options).unwrap();
    for name in ["../x", "/etc/passwd", "a/../../b", "", "a\\b", "a?b"] {
        assert!(remote.get(name).is_err(), "{name}");
    }
}

#[test]
fn the_environment_is_honoured() {
    let options = |pairs: &[(&str, &str)]| {
        RemoteOptions::from(|name| {
            let found = pairs.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    let home = options(&[
        ("HF_HOME", "/h"),
        ("HF_TOKEN", "t"),
        ("HF_HUB_OFFLINE", "1"),
    ]);
    assert_eq!(home.cache, Path::new("/h/hub"));
    assert_eq!((home.token.as_deref(), home.offline), (Some("t"), true));
    let cache = options(&[
        ("HF_HOME", "/h"),
        ("HF_HUB_CACHE", "/c"),
        ("HF_HUB_OFFLINE", "0"),
    ]);
    assert_eq!(
        (cache.cache.as_path(), cache.offline),
        (Path::new("/c"), false)
    );
    let xdg = options(&[("XDG_CACHE_HOME", "/x"), ("HF_ENDPOINT", "http://hub")]);
    assert_eq!(xdg.cache, Path::new("/x/huggingface/hub"));
    assert_eq!(xdg.endpoint.as_deref(), Some("http://hub"));
}
