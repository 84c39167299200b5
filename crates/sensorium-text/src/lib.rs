//! Text to tokens: tokenizers, text processing and a transformer encoder.
