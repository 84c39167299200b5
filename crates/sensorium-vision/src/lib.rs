//! Images to tokens: decoding, Pillow-equal resizing and a vision transformer.
