//! From the members of a shard to rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use sensorium_core::{Source, Store};

use super::tar::Member;
use super::{Contents, Shard};
use crate::columns::Holds;
use crate::open::{Cells, Collector, Found, LONGEST_LINE, Names, Own, PartFile, kind_of, object};
use crate::{Columns, Error};

/// What a member is to its sample.
enum Role<'a> {
    /// The content of a modality.
    Input(&'a str),
    /// The text of a modality.
    Text(&'a str),
    /// One cell, in the column of this name.
    Cell(&'a str),
    /// The class, unless the columns name another.
    Class,
    /// Columns of their own.
    Columns,
    /// Nothing that is asked for.
    Other,
}

/// A sample as far as its members have come.
#[derive(Default)]
struct Draft {
    key: String,
    row: u64,
    /// What its members say: the class, columns together, columns one by one, the later before the earlier.
    class: Option<String>,
    columns: Cells,
    cells: Cells,
    inputs: Vec<(Arc<str>, Source)>,
    extensions: Vec<String>,
    /// What is wrong with it: the column and the reason.
    fault: Option<(String, String)>,
}

/// Samples of one shard.
pub(super) struct Samples<'a> {
    part: &'a PartFile,
    columns: &'a Columns,
    shard: Arc<dyn Store>,
    contents: Contents,
    rows: Collector<'a>,
    /// The sample at hand, and how many there were with it.
    draft: Option<Draft>,
    count: u64,
    names: Names,
    /// Members that are nothing that is asked for, by extension.
    other: BTreeMap<String, usize>,
}

impl<'a> Samples<'a> {
    pub(super) fn new(part: &'a PartFile, columns: &'a Columns, shard: &Arc<Shard>) -> Self {
        Self {
            part,
            columns,
            shard: Arc::clone(shard) as _,
            contents: Contents::default(),
            rows: Collector::new(&part.path, columns),
            draft: None,
            count: 0,
            names: Names::default(),
            other: BTreeMap::new(),
        }
    }

    /// Whether a member's content is to be read now.
    pub(super) fn wants_text(&self, member: &Member) -> bool {
        let Some((_, extension)) = split(&member.name) else {
            return false;
        };
        let role = role(&extension, self.columns);
        matches!(
            role,
            Role::Text(_) | Role::Cell(_) | Role::Class | Role::Columns
        ) && member.size <= LONGEST_LINE as u64
    }

    /// Takes a member, and its content if that was wanted; nothing, if there are too many.
    pub(super) fn take(&mut self, member: Member, text: Option<Vec<u8>>) -> Option<()> {
        let Some((key, extension)) = split(&member.name) else {
            *self.other.entry(String::new()).or_default() += 1;
            return Some(());
        };
        let role = role(&extension, self.columns);
        if let Role::Other = role {
            *self.other.entry(extension).or_default() += 1;
            return Some(());
        }
        if self.draft.as_ref().is_none_or(|last| last.key != key) {
            self.done();
            self.count += 1;
        }
        let draft = self.draft.get_or_insert_with(|| Draft {
            key: key.to_owned(),
            row: self.count,
            ..Draft::default()
        });
        let file = &member.name;
        if draft.extensions.contains(&extension) {
            draft.fail(
                "",
                format!("{file}: a second member of this name in one sample"),
            );
            return Some(());
        }
        draft.extensions.push(extension);
        let told = match text.map(String::from_utf8) {
            Some(Ok(text)) => Some(text),
            Some(Err(_)) => {
                draft.fail("", format!("{file} is not UTF-8"));
                return Some(());
            }
            None => None,
        };
        match (role, told) {
            (Role::Text(modality), Some(text)) => {
                // What is empty is not there, as an empty cell is.
                let text = (!text.trim().is_empty()).then(|| Source::text(text));
                draft.input(self.names.share(modality), text, file);
            }
            (Role::Text(modality) | Role::Input(modality), _) => {
                let source = Source::Stored {
                    store: Arc::clone(&self.shard),
                    at: self.contents.keep(&member)?,
                };
                draft.input(self.names.share(modality), Some(source), file);
            }
            (Role::Cell(column), Some(text)) => {
                let cell = Some(text.trim().to_owned());
                draft.cells.push((self.names.share(column), cell));
            }
            (Role::Class, Some(text)) => draft.class = Some(text.trim().to_owned()),
            (Role::Columns, Some(text)) => {
                match object(text.trim_start_matches('\u{feff}'), &mut self.names) {
                    Ok(cells) => draft.columns = cells,
                    Err(reason) => draft.fail("", format!("{file} {reason}")),
                }
            }
            (_, None) => draft.fail("", format!("{file} is longer than {LONGEST_LINE} bytes")),
            (Role::Other, _) => {}
        }
        Some(())
    }

    /// Takes what cannot be a member, and spoils its sample, if it is one's.
    pub(super) fn refuse(&mut self, name: &str, reason: &str) {
        let own = split(name).map(|(key, _)| key);
        let last = self.draft.as_mut();
        match last.filter(|draft| own == Some(&draft.key)) {
            Some(draft) => draft.fail("", format!("{name} {reason}")),
            None => self
                .rows
                .bad(self.count + 1, "", format!("{name} {reason}")),
        }
    }

    /// Makes a row of the sample at hand.
    fn done(&mut self) {
        let Some(draft) = self.draft.take() else {
            return;
        };
        if let Some((column, reason)) = draft.fault {
            return self.rows.bad(draft.row, &column, reason);
        }
        let label = self.names.share(&self.columns.label);
        let class = draft.class.map(|class| (label, Some(class)));
        let cells = class.into_iter().chain(draft.columns).chain(draft.cells);
        let own = Own {
            id: Some(draft.key),
            split: self.part.split,
            inputs: draft.inputs,
            paths: false,
        };
        self.rows.take_with(draft.row, cells.collect(), own);
    }

    /// The rows, once the shard is read as far as it can be, and where their contents stand.
    pub(super) fn finish(mut self, broken: Option<Error>) -> (Found, Contents) {
        self.done();
        let found = Found {
            other: self.other,
            broken: broken.into_iter().collect(),
            ..self.rows.found()
        };
        self.contents.names.shrink_to_fit();
        self.contents.members.shrink_to_fit();
        (found, self.contents)
    }
}

impl Draft {
    fn fail(&mut self, column: &str, reason: String) {
        // The first fault is told.
        self.fault.get_or_insert((column.to_owned(), reason));
    }

    /// Takes a content of a modality, if it is one.
    fn input(&mut self, modality: Arc<str>, source: Option<Source>, file: &str) {
        if self.inputs.iter().any(|(known, _)| *known == modality) {
            let extension = self.extensions.last().cloned().unwrap_or_default();
            let reason = format!(
                "{file}: a second {modality} in one sample; name the one that counts: \
                 data.columns.inputs.{modality} = {{ column = {extension:?} }}"
            );
            return self.fail(&modality, reason);
        }
        self.inputs.extend(source.map(|source| (modality, source)));
    }
}

/// A member's key and extension: its path up to the first dot of its name, and what follows.
fn split(path: &str) -> Option<(&str, String)> {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name + path[name..].find('.')?;
    let extension = path[dot + 1..].to_ascii_lowercase();
    (dot > name && !extension.is_empty()).then(|| (&path[..dot], extension))
}

/// What a member of this extension is.
fn role<'a>(extension: &str, columns: &'a Columns) -> Role<'a> {
    let named = |column: &str| {
        let (name, rest) = extension.split_at_checked(column.len())?;
        let ends = rest.is_empty() || rest.starts_with('.');
        (ends && name.eq_ignore_ascii_case(column)).then_some(())
    };
    let inputs = columns.inputs.iter();
    let by_name = inputs.filter(|(_, input)| named(&input.column).is_some());
    let by_name = by_name.max_by_key(|(_, input)| input.column.len());
    let by_kind = || {
        let kind = kind_of(extension).filter(|_| !extension.contains('.'))?;
        let own = columns.inputs.get_key_value(kind);
        own.filter(|(modality, input)| **modality == input.column)
    };
    if let Some((modality, input)) = by_name.or_else(by_kind) {
        return match input.holds {
            Holds::Text => Role::Text(modality),
            Holds::File => Role::Input(modality),
        };
    }
    let cells = [&columns.label, &columns.split, &columns.group, &columns.id];
    match (
        cells.into_iter().find(|cell| **cell == extension),
        extension,
    ) {
        (Some(cell), _) => Role::Cell(cell),
        (None, "cls") => Role::Class,
        (None, "json") => Role::Columns,
        _ => Role::Other,
    }
}
