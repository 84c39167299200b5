//! Where a sample's raw content comes from, before any modality has looked at it.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What holds the contents of many samples in files of its own, such as a tar shard: each has a number, and is read when it
/// is needed.
pub trait Store: Send + Sync {
    /// What to call a content in messages: the file that holds it, and its name or place there.
    fn describe(&self, at: u64) -> String;

    /// The extension of its name in lower case, as a hint of the format.
    fn extension(&self, at: u64) -> Option<String>;

    /// Its size in bytes, if that is known without reading it.
    fn size(&self, at: u64) -> Option<u64>;

    /// Reads it, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`SourceError`] if the file cannot be read, has changed, or the content is larger than `limit`.
    fn read(&self, at: u64, limit: u64) -> Result<Arc<[u8]>, SourceError>;
}

/// Raw content of one modality of one sample: a text, a file, bytes in memory, or a part of a file of many.
#[derive(Clone)]
pub enum Source {
    /// The content itself, as written.
    Text(Arc<str>),
    /// A file to be read when it is needed.
    Path(PathBuf),
    /// A file's content already in memory, with a name for messages (and a hint of its format).
    Bytes {
        /// What to call it in messages, such as `digit-17.png`.
        name: Arc<str>,
        /// The whole content.
        data: Arc<[u8]>,
    },
    /// A content among many in a file, to be read when it is needed.
    Stored {
        /// What holds it.
        store: Arc<dyn Store>,
        /// Its number there.
        at: u64,
    },
}

impl Source {
    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A file.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::Path(path.into())
    }

    /// Bytes in memory.
    pub fn bytes(name: impl Into<Arc<str>>, data: impl Into<Arc<[u8]>>) -> Self {
        Self::Bytes {
            name: name.into(),
            data: data.into(),
        }
    }

    /// What a stream gives to its end, held in memory: at most `limit` bytes. For what has no path, as standard input, a
    /// socket or a member of an archive.
    ///
    /// ```
    /// # use sensorium_core::Source;
    /// let stream: &[u8] = b"RIFF"; // any `Read`
    /// let source = Source::stream("upload.wav", stream, 1 << 20)?;
    /// assert_eq!(source.describe(), "upload.wav");
    /// assert!(Source::stream("upload.wav", std::io::repeat(0), 1 << 20).is_err());
    /// # Ok::<(), sensorium_core::SourceError>(())
    /// ```
    ///
    /// # Errors
    /// [`SourceError`] if the stream cannot be read or goes on after `limit` bytes.
    pub fn stream(
        name: impl Into<Arc<str>>,
        stream: impl Read,
        limit: u64,
    ) -> Result<Self, SourceError> {
        let name = name.into();
        let mut data = Vec::new();
        let most = limit.saturating_add(1);
        if let Err(error) = stream.take(most).read_to_end(&mut data) {
            let name = name.to_string();
            return Err(SourceError::Read { name, error });
        }
        if data.len() as u64 > limit {
            return Err(SourceError::TooLarge {
                name: name.to_string(),
                size: data.len() as u64,
                limit,
            });
        }
        Ok(Self::bytes(name, data))
    }

    /// What to call this source in a message: the path, the name, or the start of the text.
    pub fn describe(&self) -> String {
        match self {
            Self::Text(text) if text.chars().count() <= 40 => format!("text {text:?}"),
            Self::Text(text) => format!("text {:?}…", text.chars().take(39).collect::<String>()),
            Self::Path(path) => path.display().to_string(),
            Self::Bytes { name, .. } => name.to_string(),
            Self::Stored { store, at } => store.describe(*at),
        }
    }

    /// The extension of the file or name in lower case, as a hint of the format.
    pub fn extension(&self) -> Option<String> {
        let path = match self {
            Self::Text(_) => return None,
            Self::Path(path) => path.as_path(),
            Self::Bytes { name, .. } => Path::new(&**name),
            Self::Stored { store, at } => return store.extension(*at),
        };
        Some(path.extension()?.to_str()?.to_ascii_lowercase())
    }

    /// The size of the content in bytes, if that is known without reading it.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(text.len() as u64),
            Self::Path(path) => Some(std::fs::metadata(path).ok()?.len()),
            Self::Bytes { data, .. } => Some(data.len() as u64),
            Self::Stored { store, at } => store.size(*at),
        }
    }

    /// Reads at most `limit` bytes of content.
    ///
    /// # Errors
    /// [`SourceError`] if the file cannot be read or is larger than `limit`.
    pub fn read(&self, limit: u64) -> Result<Arc<[u8]>, SourceError> {
        let too_large = |size| SourceError::TooLarge {
            name: self.describe(),
            size,
            limit,
        };
        match self {
            Self::Text(text) => Ok(text.as_bytes().into()),
            Self::Bytes { data, .. } if data.len() as u64 > limit => {
                Err(too_large(data.len() as u64))
            }
            Self::Bytes { data, .. } => Ok(data.clone()),
            Self::Stored { store, at } => store.read(*at, limit),
            Self::Path(path) => {
                let read = || -> std::io::Result<Result<Vec<u8>, u64>> {
                    let file = std::fs::File::open(path)?;
                    let meta = file.metadata()?;
                    if meta.is_dir() {
                        return Err(std::io::Error::other("is a folder, not a file"));
                    }
                    if meta.len() > limit {
                        return Ok(Err(meta.len()));
                    }
                    // A pipe or a growing file reports no honest length, so the reader is capped too.
                    let mut data = Vec::with_capacity(meta.len() as usize);
                    file.take(limit + 1).read_to_end(&mut data)?;
                    Ok(Ok(data))
                };
                match read() {
                    Ok(Ok(data)) if data.len() as u64 > limit => Err(too_large(data.len() as u64)),
                    Ok(Ok(data)) => Ok(data.into()),
                    Ok(Err(size)) => Err(too_large(size)),
                    Err(error) => Err(SourceError::Read {
                        name: self.describe(),
                        error,
                    }),
                }
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file could not be opened or read.
    #[error("{name}: cannot be read: {error}")]
    Read {
        /// File or name.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The content is larger than allowed.
    #[error("{name}: {size} bytes are more than the {limit} allowed")]
    TooLarge {
        /// File or name.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// The most that is read, in bytes.
        limit: u64,
    },
}
