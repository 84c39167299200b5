//! A multimodal toolkit on Burn: encode, fuse, train and ship models of text, images and sound.
