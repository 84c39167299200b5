//! Ways to join modalities, with a missing modality as a normal case.
