//! ViT: the vision transformer, with its classification head.
