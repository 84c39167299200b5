//! From the members of a shard to rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sensorium_core::{Source, Store};

use super::Shard;
use super::tar::Member;
use crate::columns::Holds;
use crate::open::{Cells, Collector, Found, LONGEST_LINE, Own, PartFile, kind, object};
use crate::{Columns, Error};

/// What a member is to its sample.
enum Role {
    /// The content of a modality.
    Input(String),
    /// The text of a modality.
    Text(String),
    /// One cell, in the column of this name.
    Cell(String),
    /// The class, unless the columns name another.
    Class,
    /// Columns of their own.
    Columns,
    /// Nothing that is asked for.
    Other,
}

/// An input of a sample whose shard is still being read.
enum Input {
    Text(String),
    Member(u64),
}

/// A sample as far as its members have come.
#[derive(Default)]
struct Draft {
    key: String,
    row: u64,
    cells: Cells,
    class: Option<String>,
    inputs: BTreeMap<String, Input>,
    extensions: Vec<String>,
    /// What is wrong with it: the column and the reason.
    fault: Option<(String, String)>,
}

/// Samples of one shard.
pub(super) struct Samples<'a> {
    part: &'a PartFile,
    columns: &'a Columns,
    drafts: Vec<Draft>,
    /// Members that are nothing that is asked for, by extension.
    other: BTreeMap<String, usize>,
    /// Members that are refused and belong to no sample: their number and why.
    refused: Vec<(u64, String)>,
}

impl<'a> Samples<'a> {
    pub(super) fn new(part: &'a PartFile, columns: &'a Columns) -> Self {
        Self {
            part,
            columns,
            drafts: Vec::new(),
            other: BTreeMap::new(),
            refused: Vec::new(),
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

    /// Takes a member, and its content if that was wanted.
    pub(super) fn take(
        &mut self,
        member: Member,
        text: Option<Vec<u8>>,
        shard: &mut Shard,
    ) -> Result<(), Error> {
        let Some((key, extension)) = split(&member.name) else {
            *self.other.entry(String::new()).or_default() += 1;
            return Ok(());
        };
        let role = role(&extension, self.columns);
        if let Role::Other = role {
            *self.other.entry(extension).or_default() += 1;
            return Ok(());
        }
        let draft = self.draft(key);
        let file = member.name.clone();
        if draft.extensions.contains(&extension) {
            draft.fail(
                "",
                format!("{file}: a second member of this name in one sample"),
            );
            return Ok(());
        }
        draft.extensions.push(extension);
        let told = match text.map(String::from_utf8) {
            Some(Ok(text)) => Some(text),
            Some(Err(_)) => {
                draft.fail("", format!("{file} is not UTF-8"));
                return Ok(());
            }
            None => None,
        };
        match (role, told) {
            (Role::Text(modality), Some(text)) => draft.input(modality, Input::Text(text), &file),
            (Role::Text(modality) | Role::Input(modality), _) => {
                let at = shard.keep(&member);
                let at =
                    at.ok_or_else(|| Error::broken(&shard.path, None, "has too many members"))?;
                draft.input(modality, Input::Member(at), &file);
            }
            (Role::Cell(column), Some(text)) => {
                draft.cells.insert(column, Some(text.trim().to_owned()));
            }
            (Role::Class, Some(text)) => draft.class = Some(text.trim().to_owned()),
            (Role::Columns, Some(text)) => match object(text.trim_start_matches('\u{feff}')) {
                Ok(cells) => cells.into_iter().for_each(|(column, cell)| {
                    draft.cells.entry(column).or_insert(cell);
                }),
                Err(reason) => draft.fail("", format!("{file} {reason}")),
            },
            (_, None) => draft.fail("", format!("{file} is longer than {LONGEST_LINE} bytes")),
            (Role::Other, _) => {}
        }
        Ok(())
    }

    /// Takes what cannot be a member, and spoils its sample, if it is one's.
    pub(super) fn refuse(&mut self, name: &str, reason: &str) {
        let last = self.drafts.last_mut();
        let own = split(name).map(|(key, _)| key);
        match last.filter(|draft| own.as_ref() == Some(&draft.key)) {
            Some(draft) => draft.fail("", format!("{name} {reason}")),
            None => {
                let row = self.drafts.len() as u64 + 1;
                self.refused.push((row, format!("{name} {reason}")));
            }
        }
    }

    /// The sample of this key: the one at hand, or a new one.
    fn draft(&mut self, key: String) -> &mut Draft {
        if self.drafts.last().is_none_or(|last| last.key != key) {
            self.drafts.push(Draft {
                key,
                row: self.drafts.len() as u64 + 1,
                ..Draft::default()
            });
        }
        self.drafts
            .last_mut()
            .expect("one was pushed where there was none")
    }

    /// The rows, once the shard is read as far as it can be.
    pub(super) fn finish(self, shard: Shard, broken: Option<Error>) -> Found {
        let shard: Arc<dyn Store> = Arc::new(shard);
        let mut rows = Collector::new(&self.part.path, self.columns);
        for (row, reason) in self.refused {
            rows.bad(row, "", reason);
        }
        for draft in self.drafts {
            if let Some((column, reason)) = draft.fault {
                rows.bad(draft.row, &column, reason);
                continue;
            }
            let source = |input| match input {
                Input::Text(text) => Source::text(text),
                Input::Member(at) => Source::Stored {
                    store: Arc::clone(&shard),
                    at,
                },
            };
            let inputs = draft.inputs.into_iter();
            let inputs = inputs.map(|(modality, input)| (modality, source(input)));
            let mut cells = draft.cells;
            if let Some(class) = draft.class {
                cells
                    .entry(self.columns.label.clone())
                    .or_insert(Some(class));
            }
            let own = Own {
                id: Some(draft.key),
                split: self.part.split,
                inputs: inputs.collect(),
                paths: false,
            };
            rows.take_with(draft.row, cells, own);
        }
        Found {
            other: self.other,
            broken: broken.into_iter().collect(),
            ..rows.found()
        }
    }
}

impl Draft {
    fn fail(&mut self, column: &str, reason: String) {
        // The first fault is told.
        self.fault.get_or_insert((column.to_owned(), reason));
    }

    fn input(&mut self, modality: String, input: Input, file: &str) {
        if self.inputs.contains_key(&modality) {
            let extension = self.extensions.last().cloned().unwrap_or_default();
            let reason = format!(
                "{file}: a second {modality} in one sample; name the one that counts: \
                 data.columns.inputs.{modality} = {{ column = {extension:?} }}"
            );
            return self.fail(&modality, reason);
        }
        // What is empty is not there, as an empty cell is.
        if !matches!(&input, Input::Text(text) if text.trim().is_empty()) {
            self.inputs.insert(modality, input);
        }
    }
}

/// A member's key and extension: its path up to the first dot of its name, and what follows.
fn split(path: &str) -> Option<(String, String)> {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name + path[name..].find('.')?;
    let extension = path[dot + 1..].to_ascii_lowercase();
    (dot > name && !extension.is_empty()).then(|| (path[..dot].to_owned(), extension))
}

/// What a member of this extension is.
fn role(extension: &str, columns: &Columns) -> Role {
    let named = |column: &str| {
        let column = column.to_ascii_lowercase();
        let rest = extension.strip_prefix(column.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let inputs = columns.inputs.iter();
    let by_name = inputs.filter(|(_, input)| named(&input.column));
    let by_name = by_name.max_by_key(|(_, input)| input.column.len());
    let by_kind = || {
        let kind =
            kind(Path::new(&format!("x.{extension}"))).filter(|_| !extension.contains('.'))?;
        let own = columns.inputs.get_key_value(kind);
        own.filter(|(modality, input)| **modality == input.column)
    };
    if let Some((modality, input)) = by_name.or_else(by_kind) {
        return match input.holds {
            Holds::Text => Role::Text(modality.clone()),
            Holds::File => Role::Input(modality.clone()),
        };
    }
    let cells = [&columns.label, &columns.split, &columns.group, &columns.id];
    match (
        cells.into_iter().find(|cell| **cell == extension),
        extension,
    ) {
        (Some(cell), _) => Role::Cell(cell.clone()),
        (None, "cls") => Role::Class,
        (None, "json") => Role::Columns,
        _ => Role::Other,
    }
}
