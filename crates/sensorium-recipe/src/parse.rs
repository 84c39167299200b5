//! From a TOML text and `--set key=value` to a recipe, strictly: what is not understood is an error
//! that names the file, the line and the nearest key that would be.

use sensorium_train::OptimizerKind;
use serde::Deserialize;
use toml::{Table, Value};

use crate::folder::LARGEST;
use crate::fusion;
use crate::labels::LabelKind;
use crate::objective::ObjectiveKind;
use crate::place::{line_of, place};
use crate::writing::{self, DecoderKind, PUBLISHED};
use crate::{Error, Recipe};

/// Reads a recipe; `origin` names it in messages.
///
/// # Errors
/// A syntax error, an unknown key or a wrong type, with its line; or a `--set` that does not fit.
pub fn parse(origin: &str, text: &str, sets: &[String]) -> Result<Recipe, Error> {
    if text.len() as u64 > LARGEST {
        return Err(Error::Recipe {
            place: origin.to_owned(),
            message: format!(
                "{} bytes are more than the {LARGEST} a recipe may have",
                text.len()
            ),
        });
    }
    let at = |error: &toml::de::Error| match error.span() {
        Some(span) => format!("{origin}:{}", line_of(text, span.start)),
        None => origin.to_owned(),
    };
    // The text is checked whole before anything is set, so that its mistakes keep their lines. A
    // recipe that only `--set` completes may lack a key here, and nothing else.
    let checked = toml::from_str::<Recipe>(text);
    let complete_by_set =
        |e: &toml::de::Error| !sets.is_empty() && e.message().contains("missing field");
    if let Err(error) = checked
        && !complete_by_set(&error)
    {
        return Err(Error::Recipe {
            place: at(&error),
            message: explain(error.message()),
        });
    }
    let mut table: Table = toml::from_str(text).map_err(|error| Error::Recipe {
        place: at(&error),
        message: explain(error.message()),
    })?;
    for (done, set) in sets.iter().enumerate() {
        apply(&mut table, set)?;
        forget_optimizer(&mut table, text, &sets[..=done]);
        // Only a key's own mistake can be told from here; what is missing shows when all are set.
        if let Err(error) = Recipe::deserialize(Value::Table(table.clone()))
            && !error.message().contains("missing field")
        {
            return Err(Error::Recipe {
                place: format!("--set {set}"),
                message: explain(error.message()),
            });
        }
    }
    // As it stands there, before defaults make a key that was written like one that was not.
    let keys = fusion::check_keys(&table).and_then(|()| writing::check_keys(&table));
    keys.map_err(|message| Error::Recipe {
        place: place(origin, text, sets, &message),
        message,
    })?;
    Recipe::deserialize(Value::Table(table)).map_err(|error| Error::Recipe {
        place: origin.to_owned(),
        message: explain(error.message()),
    })
}

/// Puts `key.path=value` into the table; the value is TOML, or a text if it is not. `key.path=` takes the key out.
fn apply(root: &mut Table, set: &str) -> Result<(), Error> {
    let wrong = |message: String| Error::Recipe {
        place: format!("--set {set}"),
        message,
    };
    let (path, value) = set
        .split_once('=')
        .ok_or_else(|| wrong("is not of the form key=value, such as train.epochs=3".to_owned()))?;
    let value = format!("v = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let keys: Vec<&str> = path.trim().split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err(wrong(format!("{path:?} is not a key such as train.epochs")));
    }
    let (last, tables) = keys
        .split_last()
        .expect("splitting gives at least one part");
    let removed = set.ends_with('=') && set.matches('=').count() == 1;
    let mut table = &mut *root;
    for key in tables {
        let entry = table
            .entry((*key).to_owned())
            .or_insert_with(|| Value::Table(Table::new()));
        table = entry
            .as_table_mut()
            .ok_or_else(|| wrong(format!("{key} is a value, not a table of keys")))?;
    }
    match removed {
        true => table.remove(*last),
        false => table.insert((*last).to_owned(), value),
    };
    // What a kind does not look at goes with the kind that did.
    if keys == ["objective", "kind"]
        && let Some(kind) = table
            .get("kind")
            .and_then(Value::as_str)
            .and_then(ObjectiveKind::named)
    {
        table.retain(|key, _| key == "kind" || kind.keys().contains(&key));
        if matches!(
            kind.labels(),
            None | Some(LabelKind::Class | LabelKind::Ordered | LabelKind::Text)
        ) {
            forget_separator(root);
        }
        if kind.labels() != Some(LabelKind::Text) {
            root.remove("decoder");
        }
    } else if keys == ["decoder", "kind"]
        && let Some(kind) = table.get("kind").and_then(Value::as_str)
        && let Some(kind) = DecoderKind::named(kind)
    {
        table.retain(|key, _| kind.looks_at(key));
    } else if keys == ["decoder", "from"] && !removed {
        table.retain(|key, _| key == "kind" || PUBLISHED.contains(&key));
    }
    Ok(())
}

/// The keys of an optimizer go with it when `--set` names another, but for those that were set as well.
fn forget_optimizer(root: &mut Table, text: &str, sets: &[String]) {
    let key_of = |set: &String| set.split('=').next().unwrap_or_default().trim().to_owned();
    let keys: Vec<String> = sets.iter().map(key_of).collect();
    let (Some("train.optimizer"), Some(Value::Table(train))) =
        (keys.last().map(String::as_str), root.get_mut("train"))
    else {
        return;
    };
    let before = toml::from_str::<Recipe>(text).map(|recipe| recipe.train.optimizer);
    if before.is_ok_and(|before| train.get("optimizer") == Some(&Value::from(before.name()))) {
        return;
    }
    let was_set = |key: &str| keys.iter().any(|set| *set == format!("train.{key}"));
    train.retain(|key, _| !OptimizerKind::KEYS.contains(&key) || was_set(key));
}

/// What stands between the parts of a label cell goes with the kind that reads several.
fn forget_separator(root: &mut Table) {
    let data = root.get_mut("data").and_then(Value::as_table_mut);
    let columns = data.and_then(|data| data.get_mut("columns")?.as_table_mut());
    if let Some(columns) = columns {
        columns.remove("label_separator");
    }
}

/// Adds the nearest key to serde's "unknown field `x`, expected one of `a`, `b`".
fn explain(message: &str) -> String {
    let message = message.trim().replace('\n', "; ");
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let (true, Some(wrong)) = (unknown, quoted.next()) else {
        return message;
    };
    let known: Vec<&str> = quoted.collect();
    let what = if message.starts_with("unknown field") {
        "key"
    } else {
        "value"
    };
    match nearest(wrong, &known) {
        Some(near) => format!(
            "unknown {what} `{wrong}`; did you mean `{near}`? ({})",
            known.join(", ")
        ),
        None if known.is_empty() => format!("unknown {what} `{wrong}`; no key belongs here"),
        None => format!("unknown {what} `{wrong}`; choose from {}", known.join(", ")),
    }
}

/// The known word most like `word`, if any is like it at all.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), *k))
        .min()
        .filter(|(distance, k)| *distance <= k.len().max(word.len()) / 2)
        .map(|(_, k)| k)
}
