//! Which column of a Parquet file holds what.

use std::collections::BTreeMap;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;

use crate::Columns;
use crate::columns::Holds;

/// A column whose contents stand in the file itself.
#[derive(Clone, Debug)]
pub(super) struct Embedded {
    pub(super) column: String,
    /// The number of the leaf that holds the bytes.
    pub(super) leaf: usize,
}

/// What is read of a file.
pub(super) struct Schema {
    /// The columns that are read as cells, and the paths of embedded contents.
    pub(super) cells: Option<Type>,
    /// By modality.
    pub(super) embedded: BTreeMap<String, Embedded>,
    /// The names of classes that stand as numbers, by column.
    pub(super) classes: BTreeMap<String, Vec<String>>,
    /// Every column.
    pub(super) names: Vec<String>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl Schema {
    /// # Errors
    /// If nothing can be read of it.
    pub(super) fn of(metadata: &ParquetMetaData, columns: &Columns) -> Result<Self, String> {
        let root = metadata.file_metadata().schema();
        let features = features(metadata);
        let mut notes = Vec::new();
        let mut embedded = BTreeMap::new();
        let mut fields = Vec::new();
        for field in root.get_fields() {
            let name = field.name();
            let asked = columns.inputs.iter().find(|(modality, input)| {
                input.column == name
                    || (*modality == &input.column
                        && stands_in(&features, root, modality).as_deref() == Some(name))
            });
            let bytes = bytes_of(field);
            match (asked, bytes) {
                (Some((modality, input)), Some(path)) if input.holds == Holds::File => {
                    let leaf =
                        leaf(metadata, name, path).ok_or("has columns that do not fit together")?;
                    if input.column != name {
                        notes.push(format!("{modality} is read from the column {name}, which the file says holds it"));
                    }
                    let column = name.to_owned();
                    embedded.insert(modality.clone(), Embedded { column, leaf });
                    fields.extend(path_of(field));
                }
                // What nobody asks for is not read; bytes are no cells.
                (None, Some(_)) => {}
                _ => fields.push(Arc::clone(field)),
            }
        }
        let cells = Type::group_type_builder(root.name())
            .with_fields(fields.clone())
            .build();
        let cells = cells.map_err(|error| format!("has columns that cannot be read: {error}"))?;
        Ok(Self {
            cells: (!fields.is_empty()).then_some(cells),
            embedded,
            classes: classes(&features),
            names: root
                .get_fields()
                .iter()
                .map(|field| field.name().to_owned())
                .collect(),
            notes,
        })
    }
}

/// The column that a file says holds pictures, or sounds, where none is named after them and no other does.
fn stands_in(features: &Value, root: &Type, modality: &str) -> Option<String> {
    if root
        .get_fields()
        .iter()
        .any(|field| field.name() == modality)
    {
        return None;
    }
    let kind = match modality {
        "image" => "Image",
        "audio" => "Audio",
        _ => return None,
    };
    let all = features.as_object()?.iter();
    let mut own = all
        .filter(|(_, feature)| feature["_type"] == kind)
        .map(|(name, _)| name);
    let first = own.next()?;
    own.next().is_none().then(|| first.clone())
}

/// Where the bytes of a field stand, if it is one of bytes: in a child, or itself.
fn bytes_of(field: &TypePtr) -> Option<Option<&'static str>> {
    let is_bytes =
        |field: &Type| field.is_primitive() && field.get_physical_type() == Physical::BYTE_ARRAY;
    match field.is_group() {
        true => {
            let bytes = field
                .get_fields()
                .iter()
                .find(|child| child.name() == "bytes");
            bytes.filter(|child| is_bytes(child)).map(|_| Some("bytes"))
        }
        false => (is_bytes(field) && !is_text(field)).then_some(None),
    }
}

fn is_text(field: &Type) -> bool {
    let info = field.get_basic_info();
    matches!(
        info.logical_type_ref(),
        Some(LogicalType::String | LogicalType::Json | LogicalType::Enum)
    ) || matches!(
        info.converted_type(),
        ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM | ConvertedType::DECIMAL
    )
}

/// The same field with its path alone, if it has one.
fn path_of(field: &TypePtr) -> Option<TypePtr> {
    if !field.is_group() {
        return None;
    }
    let path = field
        .get_fields()
        .iter()
        .find(|child| child.name() == "path" && child.is_primitive())?;
    let alone = Type::group_type_builder(field.name())
        .with_repetition(field.get_basic_info().repetition())
        .with_fields(vec![Arc::clone(path)]);
    alone.build().ok().map(Arc::new)
}

/// The number of a leaf that does not repeat.
fn leaf(metadata: &ParquetMetaData, name: &str, child: Option<&str>) -> Option<usize> {
    let wanted: Vec<&str> = [Some(name), child].into_iter().flatten().collect();
    let columns = metadata.file_metadata().schema_descr().columns();
    let at = columns
        .iter()
        .position(|column| column.path().parts() == wanted)?;
    (columns[at].max_rep_level() == 0).then_some(at)
}

/// What the library that hubs use says of the columns.
fn features(metadata: &ParquetMetaData) -> Value {
    let values = metadata.file_metadata().key_value_metadata();
    let own = values
        .into_iter()
        .flatten()
        .find(|value| value.key == "huggingface");
    let text = own.and_then(|own| own.value.as_deref()).unwrap_or_default();
    let mut told: Value = serde_json::from_str(text).unwrap_or_default();
    told.pointer_mut("/info/features")
        .map(Value::take)
        .unwrap_or_default()
}

/// The names of classes, by column; of a list of classes those of its elements.
fn classes(features: &Value) -> BTreeMap<String, Vec<String>> {
    let names = |feature: &Value| -> Option<Vec<String>> {
        let feature = match feature.get("feature") {
            Some(inner) => inner,
            None => feature,
        };
        let names = feature["names"]
            .as_array()
            .filter(|_| feature["_type"] == "ClassLabel")?;
        names
            .iter()
            .map(|name| Some(name.as_str()?.to_owned()))
            .collect()
    };
    let all = features.as_object().into_iter().flatten();
    all.filter_map(|(column, feature)| Some((column.clone(), names(feature)?)))
        .collect()
}
