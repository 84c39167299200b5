//! Texts that occur again and again in a table, held once: names of columns, speakers, kinds.

use std::collections::HashSet;
use std::sync::Arc;

/// How many are remembered: a column in which every cell is another is none to share.
const MOST: usize = 1 << 16;

/// Texts that were seen before.
#[derive(Default)]
pub(crate) struct Names(HashSet<Arc<str>>);

impl Names {
    /// The text, shared with others that are the same.
    pub(crate) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.0.len() < MOST {
            self.0.insert(Arc::clone(&new));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_held_once_and_memory_is_bounded() {
        let mut names = Names::default();
        let first = names.share("ann");
        assert!(Arc::ptr_eq(&first, &names.share("ann")));
        for i in 0..2 * MOST {
            assert_eq!(*names.share(&i.to_string()), *i.to_string());
        }
        assert_eq!(names.0.len(), MOST);
        assert!(Arc::ptr_eq(&first, &names.share("ann")));
    }
}
