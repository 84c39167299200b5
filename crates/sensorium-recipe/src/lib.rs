//! Recipes as data: the TOML schema, the model built from it, and the run folder.
