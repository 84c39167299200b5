//! Values as texts, as a manifest would hold them.

use parquet::record::Field;
use serde_json::{Map, Value};

/// A value as a cell; nothing if there is none. Nested values are JSON.
pub(super) fn text(field: Field) -> Option<String> {
    match json(field) {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The class of a number, or the classes of a list of numbers. Below zero is no class.
///
/// # Errors
/// If there is no such class.
pub(super) fn named(field: Field, names: &[String]) -> Result<Option<String>, String> {
    match json(field) {
        Value::Null => Ok(None),
        Value::Array(all) => {
            let all: Result<Vec<Value>, String> =
                all.into_iter().map(|one| class(one, names)).collect();
            Ok(Some(Value::Array(all?).to_string()))
        }
        Value::Number(number) if number.as_i64().is_some_and(|n| n < 0) => Ok(None),
        one => Ok(class(one, names)?.as_str().map(str::to_owned)),
    }
}

fn class(value: Value, names: &[String]) -> Result<Value, String> {
    let Some(number) = value.as_u64() else {
        return Ok(value);
    };
    let name = usize::try_from(number)
        .ok()
        .and_then(|number| names.get(number));
    let name = name.ok_or_else(|| {
        format!(
            "{number} is none of the {} classes that the file names",
            names.len()
        )
    })?;
    Ok(Value::from(name.as_str()))
}

fn json(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Long(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        // Through text: 0.1 stays 0.1.
        Field::Float(value) => value
            .to_string()
            .parse::<f64>()
            .map_or(Value::Null, Value::from),
        Field::Double(value) => value.into(),
        Field::Str(text) => text.into(),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => Value::Null,
        },
        Field::Group(row) => {
            let fields = row.into_columns().into_iter();
            // The path of an embedded content is all that is read of it.
            let mut fields: Map<String, Value> =
                fields.map(|(name, field)| (name, json(field))).collect();
            match fields.len() {
                1 if fields.contains_key("path") => fields.remove("path").unwrap_or_default(),
                _ => Value::Object(fields),
            }
        }
        Field::ListInternal(list) => list.elements().iter().cloned().map(json).collect(),
        // Decimals, dates and times as they are usually written.
        other => other.to_string().into(),
    }
}
