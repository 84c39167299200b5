//! The recipes that are compiled in.

const RECIPES: &[(&str, &str)] = &[("av-digits", include_str!("../recipes/av-digits.toml"))];

/// The text of a built-in recipe.
pub fn text(name: &str) -> Option<&'static str> {
    RECIPES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// The names of the built-in recipes.
pub fn names() -> Vec<&'static str> {
    RECIPES.iter().map(|(name, _)| *name).collect()
}
