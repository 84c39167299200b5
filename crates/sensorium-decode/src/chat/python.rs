//! Python's ways of writing values, which templates count on: `str`, `repr`, `json.dumps` and `strftime`.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::Value as Json;

/// A value as `{{ }}` prints it.
pub(super) fn printed(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => repr(value),
    }
}

/// A value within a list or a table.
fn repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Number => number(&value.to_string()),
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value
                .try_iter()
                .map(|items| items.map(|item| repr(&item)).collect::<Vec<_>>());
            format!("[{}]", items.unwrap_or_default().join(", "))
        }
        ValueKind::Map => {
            let keys = value
                .try_iter()
                .map(Iterator::collect::<Vec<_>>)
                .unwrap_or_default();
            let pairs = keys.iter().map(|key| {
                let item = value.get_item(key).unwrap_or_default();
                format!("{}: {}", repr(key), repr(&item))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}

/// A text in quotes: single ones, unless only those are in it.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// A number as it is written in Rust, as Python writes it: with an exponent from 1e16 and below 1e-4.
fn number(written: &str) -> String {
    let is_whole = !written.contains(['.', 'e', 'E', 'n', 'i']);
    let value = written.parse::<f64>();
    match value {
        Ok(value) if !is_whole && value.is_finite() => {
            let size = value.abs();
            if size != 0.0 && !(1e-4..1e16).contains(&size) {
                let text = format!("{value:e}");
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let exponent: i32 = exponent.parse().unwrap_or_default();
                let sign = if exponent < 0 { '-' } else { '+' };
                return format!("{digits}e{sign}{:02}", exponent.abs());
            }
            format!("{value:?}")
        }
        _ => written.to_owned(),
    }
}

/// How `json.dumps` is asked to write.
pub(super) struct Dump {
    pub(super) indent: Option<usize>,
    pub(super) sorted: bool,
    /// Between items, and between a key and its value.
    pub(super) separators: Option<[String; 2]>,
}

impl Dump {
    pub(super) fn text(&self, value: &Json) -> String {
        let mut out = String::new();
        self.write(value, 0, &mut out);
        out
    }

    fn write(&self, value: &Json, depth: usize, out: &mut String) {
        match value {
            Json::Array(items) => {
                let items = items.iter().map(|item| (None, item));
                self.all(items.collect(), ['[', ']'], depth, out);
            }
            Json::Object(table) => {
                let mut items: Vec<_> = table.iter().map(|(key, item)| (Some(key), item)).collect();
                if self.sorted {
                    items.sort_by_key(|(key, _)| *key);
                }
                self.all(items, ['{', '}'], depth, out);
            }
            Json::Number(written) => out.push_str(&number(&written.to_string())),
            // A text, `true`, `false` and `null` are written alike.
            other => out.push_str(&other.to_string()),
        }
    }

    fn all(
        &self,
        items: Vec<(Option<&String>, &Json)>,
        around: [char; 2],
        depth: usize,
        out: &mut String,
    ) {
        let between = self
            .separators
            .as_ref()
            .map(|[between, _]| between.as_str());
        let between = between.unwrap_or(if self.indent.is_some() { "," } else { ", " });
        let after_key = self
            .separators
            .as_ref()
            .map_or(": ", |[_, after]| after.as_str());
        let line = |depth: usize, out: &mut String| {
            if let Some(indent) = self.indent {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent.min(64) * depth));
            }
        };
        out.push(around[0]);
        let empty = items.is_empty();
        for (n, (key, item)) in items.into_iter().enumerate() {
            if n > 0 {
                out.push_str(between);
            }
            line(depth + 1, out);
            if let Some(key) = key {
                out.push_str(&Json::from(key.as_str()).to_string());
                out.push_str(after_key);
            }
            self.write(item, depth + 1, out);
        }
        if !empty {
            line(depth, out);
        }
        out.push(around[1]);
    }
}

/// A time in `strftime`'s notation; nothing if that is none.
pub(super) fn time(at: &NaiveDateTime, format: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", at.format(format)).ok()?;
    Some(text)
}
