//! DINOv2: self-supervised vision transformers, with register tokens and layer scale.
