//! CLIP: an image and a text tower that meet in one space.
