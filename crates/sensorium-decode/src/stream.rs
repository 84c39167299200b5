//! A text as it comes: whole characters only, and nothing of what ends it.

/// Turns tokens into pieces of text. A piece is given as soon as nothing that follows can change it: bytes of an unfinished character,
/// and what may be the beginning of a stop string, wait for what comes next.
///
/// ```
/// use sensorium_decode::TextStream;
///
/// // Of a tokenizer whose tokens are bytes.
/// let decode = |ids: &[u32]| {
///     let bytes: Vec<u8> = ids.iter().map(|id| *id as u8).collect();
///     String::from_utf8_lossy(&bytes).into_owned()
/// };
/// let mut stream = TextStream::new(&["END".to_owned()]);
/// let pieces: Vec<String> = "naïve END".bytes().map(|b| stream.push(u32::from(b), decode)).collect();
/// assert_eq!(pieces.concat(), "naïve ");
/// assert!(pieces[2].is_empty() && pieces[3] == "ï", "two bytes, one character");
/// assert!(stream.is_stopped());
/// ```
#[derive(Clone, Debug)]
pub struct TextStream {
    stops: Vec<String>,
    /// Tokens from where the text was last whole.
    ids: Vec<u32>,
    /// How many bytes of their text were given, or are held back.
    seen: usize,
    /// What may begin a stop string.
    held: String,
    stopped: bool,
}

/// What a decoder puts in the place of bytes that are no character, or not yet.
const UNFINISHED: char = '\u{FFFD}';

/// After so many tokens what looks unfinished is taken as it is: no character has more bytes.
const MOST_WAITING: usize = 8;

impl TextStream {
    /// A text that ends before any of these strings.
    pub fn new(stops: &[String]) -> Self {
        Self {
            stops: stops.to_vec(),
            ids: Vec::new(),
            seen: 0,
            held: String::new(),
            stopped: false,
        }
    }

    /// Whether a stop string has come. Nothing is given from there on.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What a token adds; often nothing yet. `decode` gives the text of some tokens.
    pub fn push(&mut self, id: u32, decode: impl Fn(&[u32]) -> String) -> String {
        if self.stopped {
            return String::new();
        }
        self.ids.push(id);
        let text = decode(&self.ids);
        let waiting = text.ends_with(UNFINISHED) && self.ids.len() < MOST_WAITING;
        if waiting || text.len() <= self.seen {
            return String::new();
        }
        // What was given as no character may have become one since.
        let new = (self.seen..).find(|at| text.is_char_boundary(*at));
        self.held.push_str(&text[new.unwrap_or(text.len())..]);
        // Some tokenizers look at the token before: the last stays, and its text counts as given.
        let last = vec![id];
        self.seen = decode(&last).len();
        self.ids = last;
        self.given(false)
    }

    /// What was held back, when the text ends without a stop string.
    pub fn finish(&mut self, decode: impl Fn(&[u32]) -> String) -> String {
        if !self.stopped {
            let text = decode(&self.ids);
            self.held
                .push_str(text.get(self.seen..).unwrap_or_default());
            self.ids.clear();
            self.seen = 0;
        }
        self.given(true)
    }

    /// As much of what is held as nothing can change any more.
    fn given(&mut self, all: bool) -> String {
        let found = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(at) = found {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let begins = |at: &usize| {
            self.stops
                .iter()
                .any(|stop| stop.starts_with(&self.held[*at..]))
        };
        let keep = match all {
            true => self.held.len(),
            false => self
                .held
                .char_indices()
                .map(|(at, _)| at)
                .find(begins)
                .unwrap_or(self.held.len()),
        };
        let rest = self.held.split_off(keep);
        std::mem::replace(&mut self.held, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().map(|id| *id as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn whole(stream: &mut TextStream, ids: impl Iterator<Item = u32>) -> String {
        let text: String = ids.map(|id| stream.push(id, bytes)).collect();
        text + &stream.finish(bytes)
    }

    proptest! {
        #[test]
        fn pieces_are_the_text_up_to_the_first_stop(
            text in "[abcdeé漢🦀 ]{0,24}",
            stops in proptest::collection::vec("[abcé漢]{1,3}", 0..3),
        ) {
            let mut stream = TextStream::new(&stops);
            let found = whole(&mut stream, text.bytes().map(u32::from));
            let end = stops.iter().filter_map(|stop| text.find(stop.as_str())).min();
            prop_assert_eq!(&found, &text[..end.unwrap_or(text.len())]);
            prop_assert_eq!(stream.is_stopped(), end.is_some());
        }

        #[test]
        fn bytes_that_are_no_text_end_somewhere(ids in proptest::collection::vec(0u32..256, 0..64)) {
            let mut stream = TextStream::new(&[]);
            let found = whole(&mut stream, ids.iter().copied());
            prop_assert!(found.len() <= ids.len() * 3 + 3);
        }
    }

    #[test]
    fn the_beginning_of_a_stop_string_waits_and_comes_if_it_was_none() {
        let mut stream = TextStream::new(&["###".to_owned()]);
        let pieces: Vec<String> = "a##b#"
            .bytes()
            .map(|b| stream.push(u32::from(b), bytes))
            .collect();
        assert_eq!(pieces, ["a", "", "", "##b", ""]);
        assert_eq!(stream.finish(bytes), "#");
    }
}
