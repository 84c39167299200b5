//! The beginning of a parameter's name, with places for segments that are carried over.

/// Segments of a name, of which `{}` stands for any one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Pattern {
    /// The same below a path.
    pub(crate) fn under(&self, path: &str) -> Self {
        match path {
            "" => self.clone(),
            path => Self(format!("{path}.{}", self.0)),
        }
    }

    /// Whether a name begins so.
    pub(crate) fn fits(&self, name: &str) -> bool {
        self.split(name).is_some()
    }

    /// The name with `theirs` in place of this, if it begins so.
    pub(crate) fn renamed(&self, name: &str, theirs: &Pattern) -> Option<String> {
        let (carried, rest) = self.split(name)?;
        let mut out = theirs.0.clone();
        for segment in carried {
            out = out.replacen("{}", segment, 1);
        }
        if !out.is_empty() && !rest.is_empty() {
            out.push('.');
        }
        out.push_str(rest);
        Some(out)
    }

    /// What stands for each `{}`, and what comes after.
    fn split<'a>(&self, name: &'a str) -> Option<(Vec<&'a str>, &'a str)> {
        let mut carried = Vec::new();
        let mut rest = Some(name);
        for wanted in self.0.split('.') {
            let here = rest?;
            let (segment, after) = match here.split_once('.') {
                Some((segment, after)) => (segment, Some(after)),
                None => (here, None),
            };
            match wanted {
                "{}" => carried.push(segment),
                _ if wanted == segment => (),
                _ => return None,
            }
            rest = after;
        }
        Some((carried, rest.unwrap_or("")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(ours: &str, theirs: &str, name: &str) -> Option<String> {
        Pattern::from(ours).renamed(name, &theirs.into())
    }

    #[test]
    fn whole_segments_are_replaced_and_others_carried_over() {
        let (ours, theirs) = ("blocks.{}.up", "layer.{}.fc1");
        assert_eq!(
            renamed(ours, theirs, "blocks.12.up.weight").as_deref(),
            Some("layer.12.fc1.weight")
        );
        assert_eq!(
            renamed(ours, theirs, "blocks.12.up").as_deref(),
            Some("layer.12.fc1")
        );
        assert_eq!(renamed(ours, theirs, "blocks.12.upper.weight"), None);
        assert_eq!(renamed(ours, theirs, "blocks.12"), None);
        assert_eq!(
            renamed("a.{}.{}", "{}.b.{}", "a.x.y.z").as_deref(),
            Some("x.b.y.z")
        );
        assert_eq!(renamed("a", "", "a.b.c").as_deref(), Some("b.c"));
    }

    #[test]
    fn a_pattern_moves_below_a_path() {
        let pattern = Pattern::from("blocks.{}").under("text");
        assert!(pattern.fits("text.blocks.0.weight"));
        assert!(!pattern.fits("blocks.0.weight"));
        assert_eq!(Pattern::from("a").under(""), Pattern::from("a"));
    }
}
