//! Manifests, folders, splits, parallel loading and the embedded data set.
