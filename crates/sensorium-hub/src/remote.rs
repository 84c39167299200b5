//! Models on a hub: fetched file by file into the cache that Python uses too, and whole or not at all.

use std::env;
use std::path::{Component, Path, PathBuf};

use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::mapped::Mapped;

/// How the hub is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Where files are kept; Python's cache unless something else is said.
    pub cache: PathBuf,
    /// Another hub's address.
    pub endpoint: Option<String>,
    /// Whom the hub takes us for.
    pub token: Option<String>,
    /// Whether only what is cached is used.
    pub offline: bool,
    /// Whether a bar is drawn on standard error.
    pub progress: bool,
}

impl RemoteOptions {
    /// What `HF_HUB_CACHE`, `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` say, and the token that
    /// `huggingface-cli login` left. No bar.
    pub fn from_env() -> Self {
        Self::from(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from(var: impl Fn(&str) -> Option<String>) -> Self {
        let home = var("HF_HOME").map(PathBuf::from).unwrap_or_else(|| {
            let cache = var("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.or_else(|| Some(env::home_dir()?.join(".cache")));
            cache.unwrap_or_default().join("huggingface")
        });
        let cache = var("HF_HUB_CACHE").or_else(|| var("HUGGINGFACE_HUB_CACHE"));
        let stored = || {
            let token = std::fs::read_to_string(home.join("token")).ok()?;
            Some(token.trim().to_owned()).filter(|token| !token.is_empty())
        };
        let is_on = |value: String| {
            let value = value.to_lowercase();
            ["1", "on", "yes", "true"].contains(&value.as_str())
        };
        Self {
            cache: cache.map_or_else(|| home.join("hub"), PathBuf::from),
            endpoint: var("HF_ENDPOINT"),
            token: var("HF_TOKEN").or_else(stored),
            offline: var("HF_HUB_OFFLINE").is_some_and(is_on),
            progress: false,
        }
    }

    /// Draws a bar.
    #[must_use]
    pub fn with_progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }
}

/// A model of a hub.
pub(crate) struct Remote {
    model: String,
    cache: PathBuf,
    repo: Repo,
    cached: CacheRepo,
    /// Nothing where only what is cached may be used.
    api: Option<(Api, ApiRepo)>,
    progress: bool,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Remote {
    pub(crate) fn new(model: &str, options: &RemoteOptions) -> Result<Self, Error> {
        let (id, revision) = model.split_once('@').unwrap_or((model, "main"));
        if !is_id(id) || !is_plain(revision) {
            return Err(Error::Model {
                model: model.to_owned(),
                problem: "is no folder, and no id of a hub's model, which is `owner/name`"
                    .to_owned(),
            });
        }
        let repo = Repo::with_revision(id.to_owned(), RepoType::Model, revision.to_owned());
        let api = match options.offline {
            true => None,
            false => Some(api(options).map_err(|error| told(model, "", &error))?),
        };
        Ok(Self {
            model: model.to_owned(),
            cache: options.cache.clone(),
            cached: Cache::new(options.cache.clone()).repo(repo.clone()),
            api: api.map(|api| {
                let files = api.repo(repo.clone());
                (api, files)
            }),
            repo,
            progress: options.progress,
        })
    }

    /// A file of the model, fetched if it is not cached; `None` if there is none of this name.
    ///
    /// That there is none is remembered, as Python's tools do: a model that is cached once needs the hub no more.
    pub(crate) fn get(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        self.refuse_outside(name)?;
        if let Some(path) = self.cached.get(name) {
            return Ok(Some(path));
        }
        if self.absent(name).is_some_and(|mark| mark.exists()) {
            return Ok(None);
        }
        let Some((_, files)) = &self.api else {
            return self.known_offline();
        };
        let mut size = Expected::new(self.progress);
        match files.download_with_progress(name, &mut size) {
            Ok(path) => {
                whole(&path, size.bytes).inspect_err(|_| discard(&path))?;
                Ok(Some(path))
            }
            Err(error) if is_missing(&error) => {
                self.remember_absent(name);
                Ok(None)
            }
            Err(error) => Err(told(&self.model, name, &error)),
        }
    }

    /// Whether the hub has a file of this name, which is not fetched.
    pub(crate) fn has(&self, name: &str) -> Result<bool, Error> {
        self.refuse_outside(name)?;
        if self.cached.get(name).is_some() {
            return Ok(true);
        }
        let Some((api, files)) = &self.api else {
            return Ok(false);
        };
        match api.metadata(&files.url(name)) {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(told(&self.model, name, &error)),
        }
    }

    /// What to say of a file that must be there and is not.
    pub(crate) fn lacks(&self, file: &str) -> Error {
        let known = self.absent(file).is_some_and(|mark| mark.exists());
        match self.api.is_none() && !known {
            true => self.not_cached(file),
            false => Error::NoFile {
                model: self.model.clone(),
                file: file.to_owned(),
            },
        }
    }

    fn refuse_outside(&self, name: &str) -> Result<(), Error> {
        match is_plain(name) {
            true => Ok(()),
            false => Err(Error::Model {
                model: self.model.clone(),
                problem: format!("the file name {name:?} leaves the model's folder"),
            }),
        }
    }

    /// What is not cached is not there, if anything of the model is.
    fn known_offline(&self) -> Result<Option<PathBuf>, Error> {
        match self.cached.get("config.json") {
            Some(_) => Ok(None),
            None => Err(self.not_cached("config.json")),
        }
    }

    fn not_cached(&self, file: &str) -> Error {
        Error::Model {
            model: self.model.clone(),
            problem: format!("{file} is not cached, and HF_HUB_OFFLINE forbids to fetch it"),
        }
    }

    /// Where it is marked that the hub has no file of this name; nowhere before anything of the model is cached.
    fn absent(&self, name: &str) -> Option<PathBuf> {
        let model = self.cache.join(self.repo.folder_name());
        let commit = std::fs::read_to_string(model.join("refs").join(self.repo.revision())).ok()?;
        let commit = commit.trim();
        is_plain(commit).then(|| model.join(".no_exist").join(commit).join(name))
    }

    fn remember_absent(&self, name: &str) {
        if let Some(mark) = self.absent(name) {
            // What cannot be remembered is asked for again.
            let folder = mark.parent().unwrap_or(&self.cache);
            let _ = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&mark, ""));
        }
    }
}

fn api(options: &RemoteOptions) -> Result<Api, ApiError> {
    let mut builder = ApiBuilder::from_cache(Cache::new(options.cache.clone()))
        .with_token(options.token.clone())
        .with_progress(options.progress)
        .with_retries(3);
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    builder.build()
}

/// Notes how long a file shall be, and draws.
struct Expected {
    bytes: u64,
    bar: Option<indicatif::ProgressBar>,
}

impl Expected {
    fn new(progress: bool) -> Self {
        Self {
            bytes: 0,
            bar: progress.then(|| indicatif::ProgressBar::new(0)),
        }
    }
}

impl Progress for &mut Expected {
    fn init(&mut self, size: usize, name: &str) {
        self.bytes = size as u64;
        if let Some(bar) = &mut self.bar {
            Progress::init(bar, size, name);
        }
    }

    fn update(&mut self, size: usize) {
        if let Some(bar) = &mut self.bar {
            Progress::update(bar, size);
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = &mut self.bar {
            Progress::finish(bar);
        }
    }
}

/// Refuses a file that is shorter or longer than the hub said, or another: large files are stored under their SHA-256.
fn whole(path: &Path, size: u64) -> Result<(), Error> {
    let io = |error| Error::io(path, error);
    let blob = std::fs::canonicalize(path).map_err(io)?;
    let found = std::fs::metadata(&blob).map_err(io)?.len();
    if found != size {
        let problem =
            format!("has {found} bytes, but the hub has {size}; it was not kept, try again");
        return Err(Error::broken(path, problem));
    }
    let name = blob
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let is_digest = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digest {
        return Ok(());
    }
    let digest = Sha256::digest(Mapped::open(&blob)?.bytes());
    let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match found.eq_ignore_ascii_case(name) {
        true => Ok(()),
        false => Err(Error::broken(
            path,
            "is not what the hub has (its SHA-256 differs); it was not kept, try again",
        )),
    }
}

/// Takes a broken file out of the cache.
fn discard(path: &Path) {
    // What cannot be removed is found broken again.
    if let Ok(blob) = std::fs::canonicalize(path) {
        let _ = std::fs::remove_file(blob);
    }
    let _ = std::fs::remove_file(path);
}

fn is_missing(error: &ApiError) -> bool {
    matches!(error, ApiError::RequestError(error) if matches!(**error, ureq::Error::StatusCode(404)))
}

fn told(model: &str, file: &str, error: &ApiError) -> Error {
    let status = match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(status) => Some(status),
            _ => None,
        },
        _ => None,
    };
    let problem = match status {
        Some(status @ (401 | 403)) => format!(
            "the hub refuses it (status {status}): there is no such model, or it asks for an account: set HF_TOKEN"
        ),
        Some(status) => format!("the hub answers with status {status}"),
        None => format!("{error}; with HF_HUB_OFFLINE=1, only what is cached is used"),
    };
    Error::Hub {
        model: model.to_owned(),
        file: file.to_owned(),
        problem,
    }
}

/// `owner/name`, or `name` alone as the oldest models have it.
fn is_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let sound =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed);
    id.split('/').count() <= 2 && id.split('/').all(sound)
}

/// Whether a name stays below the folder it is joined to.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty()
        && !name.contains(['\\', ':', '?', '#', '\0'])
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
