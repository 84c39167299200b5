//! What a checkpoint's folder must hold: every file with its size and hash, written last.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of the manifest's own file.
pub(crate) const NAME: &str = "manifest.json";

/// The format of the folder; another number is another layout.
const FORMAT: u32 = 1;

/// A list of files with their hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    pub(crate) files: Vec<Entry>,
}

/// A file that must be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// Describes files.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let entry = |(name, content): (&str, &[u8])| Entry {
            name: name.to_owned(),
            bytes: content.len() as u64,
            sha256: sha256(content),
        };
        Self {
            format: FORMAT,
            files: files.into_iter().map(entry).collect(),
        }
    }

    /// As it stands in the file.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Strings and numbers cannot fail to become JSON.
        serde_json::to_vec_pretty(self).expect("a manifest is plain data")
    }

    /// Reads a manifest, refusing names that lead out of its folder.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, String> {
        let manifest: Self =
            serde_json::from_slice(json).map_err(|error| format!("{NAME}: {error}"))?;
        if manifest.format != FORMAT {
            return Err(format!(
                "{NAME}: format {} is not known, only {FORMAT}",
                manifest.format
            ));
        }
        let plain = |name: &str| {
            !name.is_empty() && !name.contains(['/', '\\', ':']) && !name.starts_with('.')
        };
        match manifest.files.iter().find(|entry| !plain(&entry.name)) {
            Some(entry) => Err(format!("{NAME}: {:?} is no plain file name", entry.name)),
            None => Ok(manifest),
        }
    }
}

impl Entry {
    /// Checks a file's content.
    pub(crate) fn check(&self, content: &[u8]) -> Result<(), String> {
        if content.len() as u64 != self.bytes {
            return Err(format!(
                "{} has {} bytes instead of {}",
                self.name,
                content.len(),
                self.bytes
            ));
        }
        if sha256(content) != self.sha256 {
            return Err(format!(
                "{} does not have the content that was written",
                self.name
            ));
        }
        Ok(())
    }
}

/// SHA-256 in lower-case hexadecimal digits.
pub(crate) fn sha256(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn names_stay_in_the_folder() {
        for name in [
            "../state.json",
            "/etc/passwd",
            "a/b",
            "",
            ".hidden",
            "c:\\x",
        ] {
            let json = Manifest::of([(name, &b"x"[..])]).to_json();
            assert!(Manifest::from_json(&json).is_err(), "{name}");
        }
    }
}
