//! SigLIP and SigLIP 2: image and text towers trained with a sigmoid loss.
