//! Texts that are to be written: to what a decoder is given and asked for, and back.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::{Error, TextBatch, Tokenizer};

/// Splits texts that are to be written, and puts what was written together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TargetProcessor {
    tokenizer: Tokenizer,
    max_tokens: usize,
    begin: u32,
    end: u32,
}

/// Texts that are to be written, on a device.
#[derive(Clone, Debug)]
pub struct TargetBatch {
    /// What a decoder is given: each text from its beginning on, without what it ends with.
    pub texts: TextBatch,
    /// The token after each, -1 at padding: `[batch, tokens]`
    pub next: Tensor<2, Int>,
}

impl TargetProcessor {
    /// Texts of at most `max_tokens` tokens, the first and the last ones included.
    ///
    /// # Errors
    /// If the vocabulary has no token to begin a text with, and one to end it.
    pub fn new(tokenizer: Tokenizer, max_tokens: usize) -> Result<Self, Error> {
        let (begin, end) = tokenizer.begin_and_end().ok_or_else(|| Error::Tokenizer {
            name: "the tokenizer of texts to write".to_owned(),
            reason: "it has no tokens that a text begins and ends with, such as [CLS] and [SEP] or <s> and </s>".to_owned(),
        })?;
        Ok(Self::between(tokenizer, max_tokens, begin, end))
    }

    /// The same with a token that every text begins with, and one that it ends with.
    pub fn between(tokenizer: Tokenizer, max_tokens: usize, begin: u32, end: u32) -> Self {
        Self {
            tokenizer,
            max_tokens,
            begin,
            end,
        }
    }

    /// What splits the texts.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The most tokens of a text.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The token that every text begins with.
    pub fn begin(&self) -> u32 {
        self.begin
    }

    /// The token that every text ends with.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// A text with the tokens that it begins and ends with; of one that is too long the start, without an end.
    ///
    /// # Errors
    /// If the tokenizer cannot split the text; `name` stands for it in the message.
    pub fn ids(&self, name: &str, text: &str) -> Result<Vec<u32>, Error> {
        let own = self.tokenizer.encode_bare(name, text)?;
        let mut ids = Vec::with_capacity(own.len() + 2);
        ids.push(self.begin);
        ids.extend(own);
        ids.push(self.end);
        ids.truncate(self.max_tokens);
        Ok(ids)
    }

    /// The text of tokens, up to the first that ends it.
    ///
    /// # Errors
    /// If the tokenizer cannot put its pieces together.
    pub fn text(&self, ids: &[u32]) -> Result<String, Error> {
        let own = ids.iter().take_while(|id| **id != self.end);
        let own: Vec<u32> = own.copied().collect();
        self.tokenizer.decode(&own)
    }

    /// Joins texts of at least two tokens into a batch.
    ///
    /// # Panics
    /// If there is none, or one is shorter.
    pub fn collate(&self, texts: &[Vec<u32>], device: &Device) -> TargetBatch {
        assert!(!texts.is_empty(), "a batch needs at least one text");
        let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
        let length = longest - 1;
        let fill = i64::from(self.tokenizer.pad_id());
        let (mut ids, mut pad, mut next) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            let own = text.len() - 1;
            let padded = |ids: &[u32], fill: i64, to: &mut Vec<i64>| {
                to.extend(ids.iter().map(|id| i64::from(*id)));
                to.extend(std::iter::repeat_n(fill, length - own));
            };
            padded(&text[..own], fill, &mut ids);
            padded(&text[1..], -1, &mut next);
            pad.extend((0..length).map(|place| place >= own));
        }
        let shape = [texts.len(), length];
        TargetBatch {
            texts: TextBatch {
                ids: Tensor::from_data(TensorData::new(ids, shape), device),
                pad: Tensor::from_data(TensorData::new(pad, shape), device),
            },
            next: Tensor::from_data(TensorData::new(next, shape), device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{bools, devices, ints};

    const TEXTS: [&str; 3] = ["42,05 £ am 3. Mai", "Fünfundvierzig", "1984-05-03 16:15"];

    fn processor(max_tokens: usize) -> TargetProcessor {
        let tokenizer = Tokenizer::fit_bytes(TEXTS.into_iter(), 300).unwrap();
        TargetProcessor::new(tokenizer, max_tokens).unwrap()
    }

    #[test]
    fn a_text_comes_back_to_the_letter() {
        let processor = processor(64);
        for text in TEXTS
            .into_iter()
            .chain(["", "  nie Gesehenes: 好 \"x\"\n", "ÄÖ 007"])
        {
            let ids = processor.ids(text, text).unwrap();
            assert_eq!(ids[0], processor.begin());
            assert_eq!(ids.last(), Some(&processor.end()));
            assert_eq!(processor.text(&ids[1..]).unwrap(), text);
            let beyond = [&ids[1..], &ids[1..]].concat();
            assert_eq!(processor.text(&beyond).unwrap(), text, "its end is kept to");
        }
    }

    #[test]
    fn each_digit_is_a_token_and_the_same_texts_give_the_same_vocabulary() {
        let one = processor(64);
        let ids = one.tokenizer().encode_bare("", "1984").unwrap();
        assert_eq!(one.tokenizer().tokens(&ids), ["1", "9", "8", "4"]);
        let reversed = Tokenizer::fit_bytes(TEXTS.into_iter().rev(), 300).unwrap();
        let all: Vec<u32> = (0..reversed.vocab_size() as u32).collect();
        assert_eq!(one.tokenizer().tokens(&all), reversed.tokens(&all));
    }

    #[test]
    fn a_batch_is_shifted_by_one() {
        let processor = processor(4);
        let texts = ["7", "1984"].map(|text| processor.ids(text, text).unwrap());
        // What is too long has no end.
        assert_eq!(texts[1].len(), 4);
        assert!(!texts[1].contains(&processor.end()));
        for device in devices() {
            let batch = processor.collate(&texts, &device);
            let (ids, next) = (ints(&batch.texts.ids), ints(&batch.next));
            let of = |text: usize, place: usize| i64::from(texts[text][place]);
            assert_eq!(ids, [of(0, 0), of(0, 1), 0, of(1, 0), of(1, 1), of(1, 2)]);
            assert_eq!(next, [of(0, 1), of(0, 2), -1, of(1, 1), of(1, 2), of(1, 3)]);
            let pad = [false, false, true, false, false, false];
            assert_eq!(bools(&batch.texts.pad), pad);
        }
    }

    #[test]
    fn a_vocabulary_without_an_end_is_refused() {
        let json = r#"{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
        let tokenizer = Tokenizer::from_bytes("t.json", json.as_bytes()).unwrap();
        let error = TargetProcessor::new(tokenizer, 8).unwrap_err().to_string();
        assert!(
            error.contains("no tokens that a text begins and ends with"),
            "{error}"
        );
    }
}
