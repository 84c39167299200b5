//! What ids of characters say, as a `Wav2Vec2CTCTokenizer`'s files have it.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::files::{ADDED, CONFIG, VOCAB, wrong};
use super::{CtcFiles, Label};
use crate::Error;
use crate::error::need;

/// A character, or a word of them, and the frames in which it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it says.
    pub text: String,
    /// From its first frame to the one after its last.
    pub frames: Range<usize>,
    /// Which of the labels it is made of.
    pub labels: Range<usize>,
}

/// Characters by id, which of them is the blank, and which stands between words.
///
/// # Differs from the reference
/// Where texts are lower-cased (`do_lower_case`), so are characters and words; the reference leaves those as they are.
/// A `word_delimiter_token` that a file names is heeded, which Transformers 5 reads and passes over.
#[derive(Clone, Debug)]
pub struct CtcVocabulary {
    /// By id.
    tokens: Vec<String>,
    /// By id, the first id that reads the same.
    first: Vec<u32>,
    blank: u32,
    delimiter: String,
    space: String,
    lower_case: bool,
    clean_up: bool,
}

impl CtcVocabulary {
    /// Reads the files of a model that tells `n_ids` ids apart. Ids beyond are passed over.
    ///
    /// # Errors
    /// The file and key of what is missing or has the wrong type, and if the blank is none of the ids.
    pub fn parse(files: &CtcFiles, n_ids: usize) -> Result<Self, Error> {
        let named = Named {
            blank: files.token("pad_token", "<pad>")?,
            unknown: files.token("unk_token", "<unk>")?,
            delimiter: files.token("word_delimiter_token", "|")?,
        };
        let tokens = tokens(files, &named)?;
        let mut by_id: Vec<Option<String>> = vec![None; n_ids];
        for (token, id) in tokens {
            if let Some(place) = by_id.get_mut(id) {
                *place = Some(token);
            }
        }
        let filled = by_id.into_iter();
        let by_id: Vec<String> = filled
            .map(|token| token.unwrap_or_else(|| named.unknown.clone()))
            .collect();
        let mut seen = HashMap::new();
        let numbered = by_id.iter().zip(0..);
        let first: Vec<u32> = numbered
            .map(|(token, id)| *seen.entry(token.as_str()).or_insert(id))
            .collect();
        let blank = seen.get(named.blank.as_str()).copied();
        need(blank.is_some(), VOCAB, "pad_token", || {
            format!(
                "`{}`, which stands for no character, is none of the model's {n_ids} ids",
                named.blank
            )
        })?;
        Ok(Self {
            first,
            blank: blank.unwrap_or_default(),
            delimiter: named.delimiter,
            space: files.text("replace_word_delimiter_char", " ")?,
            lower_case: files.switch("do_lower_case")?,
            clean_up: files.switch("clean_up_tokenization_spaces")?,
            tokens: by_id,
        })
    }

    /// The id that says nothing.
    pub fn blank(&self) -> u32 {
        self.blank
    }

    /// How many ids there are.
    pub fn n_ids(&self) -> usize {
        self.tokens.len()
    }

    /// The first id that reads as this one does: all that are no characters read alike.
    ///
    /// # Panics
    /// If it is beyond the model's ids.
    pub(super) fn first_alike(&self, id: u32) -> u32 {
        self.first[id as usize]
    }

    /// What a label reads as, before letters are made small.
    fn token(&self, label: &Label) -> &str {
        let token = &self.tokens[label.id as usize];
        match *token == self.delimiter {
            true => &self.space,
            false => token,
        }
    }

    fn cased(&self, text: String) -> String {
        match self.lower_case {
            true => text.to_lowercase(),
            false => text,
        }
    }

    /// What labels say, without space around it.
    ///
    /// # Panics
    /// If an id is beyond the model's.
    pub fn text(&self, labels: &[Label]) -> String {
        let joined: String = labels.iter().map(|label| self.token(label)).collect();
        let text = self.cased(joined.trim().to_owned());
        match self.clean_up {
            true => tidied(text),
            false => text,
        }
    }

    /// Each character, spaces included.
    ///
    /// # Panics
    /// If an id is beyond the model's.
    pub fn characters(&self, labels: &[Label]) -> Vec<Piece> {
        let numbered = labels.iter().enumerate();
        let piece = |(i, label): (usize, &Label)| Piece {
            text: self.cased(self.token(label).to_owned()),
            frames: label.frames.clone(),
            labels: i..i + 1,
        };
        numbered.map(piece).collect()
    }

    /// Each word: what stands between spaces.
    ///
    /// # Panics
    /// If an id is beyond the model's.
    pub fn words(&self, labels: &[Label]) -> Vec<Piece> {
        let mut words: Vec<Piece> = Vec::new();
        let mut open = false;
        for (i, label) in labels.iter().enumerate() {
            let token = self.token(label);
            let is_space = token == self.space;
            match words.last_mut() {
                Some(word) if open && !is_space => {
                    word.text.push_str(token);
                    word.frames.end = label.frames.end;
                    word.labels.end = i + 1;
                }
                _ if is_space => (),
                _ => words.push(Piece {
                    text: token.to_owned(),
                    frames: label.frames.clone(),
                    labels: i..i + 1,
                }),
            }
            open = !is_space;
        }
        for word in &mut words {
            word.text = self.cased(std::mem::take(&mut word.text));
        }
        words
    }
}

/// Tokens that files name by what they are for.
struct Named {
    blank: String,
    unknown: String,
    delimiter: String,
}

/// All tokens and their ids; of two with one id the later counts.
fn tokens(files: &CtcFiles, named: &Named) -> Result<Vec<(String, usize)>, Error> {
    let own = ids(VOCAB, "the file", language(files)?)?;
    let mut added = Vec::new();
    if let Some(table) = &files.added {
        added.extend(ids(ADDED, "the file", table)?);
    }
    if let Some(table) = files.setting("added_tokens_decoder") {
        const KEY: &str = "added_tokens_decoder";
        let misread = || wrong(CONFIG, KEY, table, "a table of tokens by their ids");
        for (id, token) in table.as_object().ok_or_else(misread)? {
            let id = id.parse().map_err(|_| misread())?;
            let text = token["content"].as_str().ok_or_else(misread)?;
            added.push((text.to_owned(), id));
        }
    }
    // Tokens of the vocabulary go before those that were added; what is named and has no id gets the next.
    let mut all = added;
    all.extend(own);
    let mut known: HashMap<String, usize> = all.iter().cloned().collect();
    let (begin, end) = (
        files.token("bos_token", "<s>")?,
        files.token("eos_token", "</s>")?,
    );
    let special = [&begin, &end, &named.unknown, &named.blank];
    for token in special {
        let next = known.len();
        if !known.contains_key(token) && !token.is_empty() {
            known.insert(token.clone(), next);
            all.insert(0, (token.clone(), next));
        }
    }
    Ok(all)
}

/// The table of one language.
fn language(files: &CtcFiles) -> Result<&Value, Error> {
    const KEY: &str = "target_lang";
    let nested = |value: &Value| match value {
        Value::Object(table) => table.values().any(Value::is_object),
        _ => false,
    };
    let languages = || match &files.vocab {
        Value::Object(table) => table.keys().cloned().collect::<Vec<_>>().join(", "),
        _ => String::new(),
    };
    let language = match files.setting(KEY) {
        None => None,
        Some(Value::String(language)) => Some(language),
        Some(other) => return Err(wrong(CONFIG, KEY, other, "a language's name")),
    };
    match language {
        None => need(!nested(&files.vocab), CONFIG, KEY, || {
            format!(
                "is missing; {VOCAB} has a table for each of {}",
                languages()
            )
        })
        .map(|()| &files.vocab),
        Some(language) => {
            let found = files.vocab.get(language).filter(|table| table.is_object());
            need(found.is_some(), CONFIG, KEY, || {
                format!("{VOCAB} has no table for `{language}`")
            })?;
            Ok(found.unwrap_or(&files.vocab))
        }
    }
}

/// Ids by their tokens.
fn ids(file: &str, key: &'static str, table: &Value) -> Result<Vec<(String, usize)>, Error> {
    let misread = || wrong(file, key, table, "a table of ids by their tokens");
    let entries = table.as_object().ok_or_else(misread)?;
    let entry = |(token, id): (&String, &Value)| match id.as_u64() {
        Some(id) => Ok((token.clone(), id as usize)),
        None => Err(Error::Json {
            file: file.to_owned(),
            reason: format!("{token:?}: {id} must be an id, a whole number from 0"),
        }),
    };
    entries.iter().map(entry).collect()
}

/// Without the spaces that stand before punctuation and short forms of English (`clean_up_tokenization_spaces`).
fn tidied(text: String) -> String {
    const TIDIED: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    TIDIED
        .iter()
        .fold(text, |text, (wide, close)| text.replace(wide, close))
}
