//! Dotted names as a tree, with numbered branches that are alike drawn once.

use std::collections::BTreeMap;

/// A name, and what it is.
pub struct Leaf<'a> {
    pub path: &'a str,
    pub what: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    what: Option<String>,
    children: BTreeMap<Key, Node>,
}

/// Numbers stand in their own order, before names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Name(String),
}

impl Key {
    fn of(segment: &str) -> Self {
        match segment.parse() {
            Ok(number) if segment == "0" || !segment.starts_with('0') => Self::Number(number),
            _ => Self::Name(segment.to_owned()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.chars().flat_map(char::escape_debug).collect(),
        }
    }
}

/// The tree, a line a node; `all` draws like branches one by one.
pub fn lines<'a>(leaves: impl Iterator<Item = Leaf<'a>>, all: bool) -> Vec<String> {
    let mut root = Node::default();
    for leaf in leaves {
        let mut node = &mut root;
        for segment in leaf.path.split('.') {
            node = node.children.entry(Key::of(segment)).or_default();
        }
        node.what = Some(leaf.what);
    }
    let mut out = Vec::new();
    draw(&root, "", all, &mut out);
    out
}

fn draw(node: &Node, indent: &str, all: bool, out: &mut Vec<String>) {
    let groups = groups(node, all);
    let count = groups.len();
    for (i, (mut name, mut child)) in groups.into_iter().enumerate() {
        // A branch without a fork is one line.
        while child.what.is_none() && child.children.len() == 1 {
            let (key, only) = child.children.iter().next().expect("one child");
            name = format!("{name}.{}", key.shown());
            child = only;
        }
        let last = i + 1 == count;
        let (turn, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let what = child
            .what
            .as_deref()
            .map_or(String::new(), |what| format!("  {what}"));
        out.push(format!("{indent}{turn}{name}{what}"));
        draw(child, &format!("{indent}{below}"), all, out);
    }
}

/// Children by name; runs of numbered ones that are alike under one.
fn groups(node: &Node, all: bool) -> Vec<(String, &Node)> {
    let mut out: Vec<(String, &Node)> = Vec::new();
    let mut run: Option<(u64, u64, &Node)> = None;
    let close = |run: &mut Option<(u64, u64, &'_ Node)>| {
        run.take().map(|(first, last, _)| match first == last {
            true => first.to_string(),
            false => format!("{{{first}..{last}}}"),
        })
    };
    for (key, child) in &node.children {
        if let (Key::Number(number), false) = (key, all) {
            match &mut run {
                Some((_, last, like)) if *last + 1 == *number && *like == child => {
                    *last = *number;
                    continue;
                }
                _ => {}
            }
            let like = run.map(|(_, _, like)| like);
            out.extend(close(&mut run).zip(like));
            run = Some((*number, *number, child));
            continue;
        }
        let like = run.map(|(_, _, like)| like);
        out.extend(close(&mut run).zip(like));
        out.push((key.shown(), child));
    }
    let like = run.map(|(_, _, like)| like);
    out.extend(close(&mut run).zip(like));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(paths: &[(&str, &str)], all: bool) -> Vec<String> {
        let leaves = paths.iter().map(|(path, what)| Leaf {
            path,
            what: (*what).to_owned(),
        });
        lines(leaves, all)
    }

    #[test]
    fn like_branches_are_drawn_once() {
        let paths = [
            ("encoder.layer.0.fc.weight", "F32 [2, 2]"),
            ("encoder.layer.0.fc.bias", "F32 [2]"),
            ("encoder.layer.1.fc.weight", "F32 [2, 2]"),
            ("encoder.layer.1.fc.bias", "F32 [2]"),
            ("encoder.layer.10.fc.weight", "F32 [2, 2]"),
            ("encoder.layer.2.fc.weight", "F32 [3, 2]"),
            ("scale", "F32 []"),
        ];
        assert_eq!(
            drawn(&paths, false),
            [
                "├─ encoder.layer",
                "│  ├─ {0..1}.fc",
                "│  │  ├─ bias  F32 [2]",
                "│  │  └─ weight  F32 [2, 2]",
                "│  ├─ 2.fc.weight  F32 [3, 2]",
                "│  └─ 10.fc.weight  F32 [2, 2]",
                "└─ scale  F32 []",
            ]
        );
        assert_eq!(drawn(&paths, true).len(), 10);
        assert!(drawn(&[], false).is_empty());
    }
}
