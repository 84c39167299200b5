//! A Parquet file with the columns `modality`, `input` and `vector`, as pandas, Polars and DuckDB read it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::Context;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{
    SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter,
};
use parquet::schema::parser::parse_message_type;

use super::{Aside, Embedding, Sink};
use crate::jobs::Done;

const SCHEMA: &str = "message embeddings {
    required binary modality (utf8);
    required binary input (utf8);
    required group vector (list) { repeated group list { required float element; } }
}";

/// Rows that are kept in memory before they are written.
const GROUP: usize = 4096;

pub struct Parquet {
    writer: SerializedFileWriter<BufWriter<File>>,
    file: Aside,
    rows: Rows,
}

#[derive(Default)]
struct Rows {
    modalities: Vec<ByteArray>,
    inputs: Vec<ByteArray>,
    numbers: Vec<f32>,
    /// 0 for the first number of a vector, 1 for all others.
    repeats: Vec<i16>,
}

impl Parquet {
    pub(super) fn new(mut file: Aside) -> anyhow::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        // Numbers such as these hardly compress.
        let properties = Arc::new(
            WriterProperties::builder()
                .set_dictionary_enabled(false)
                .build(),
        );
        let writer = SerializedFileWriter::new(file.take(), schema, properties)?;
        Ok(Self {
            writer,
            file,
            rows: Rows::default(),
        })
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.inputs.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        column(&mut group, |column| {
            let column = column.typed::<ByteArrayType>();
            column.write_batch(&rows.modalities, None, None)
        })?;
        column(&mut group, |column| {
            let column = column.typed::<ByteArrayType>();
            column.write_batch(&rows.inputs, None, None)
        })?;
        // Every number is there: none is null, and no vector is empty.
        let there = vec![1; rows.numbers.len()];
        column(&mut group, |column| {
            let column = column.typed::<FloatType>();
            column.write_batch(&rows.numbers, Some(&there), Some(&rows.repeats))
        })?;
        group.close()?;
        Ok(())
    }
}

fn column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    write: impl FnOnce(&mut SerializedColumnWriter<'_>) -> parquet::errors::Result<usize>,
) -> anyhow::Result<()> {
    let mut column = group.next_column()?.context("a column too few")?;
    write(&mut column)?;
    column.close()?;
    Ok(())
}

impl Sink for Parquet {
    fn put(&mut self, embedding: Embedding<'_>) -> anyhow::Result<()> {
        let rows = &mut self.rows;
        rows.modalities.push(embedding.modality.into());
        rows.inputs.push(embedding.input.into());
        let others = embedding.vector.len() - 1;
        rows.repeats.push(0);
        rows.repeats.extend(std::iter::repeat_n(1, others));
        rows.numbers.extend(embedding.vector);
        match rows.inputs.len() {
            GROUP => self.flush(),
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>, _done: &Done) -> anyhow::Result<()> {
        self.flush()?;
        let Self {
            writer, mut file, ..
        } = *self;
        file.put_back(writer.into_inner()?);
        file.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    #[test]
    fn what_is_written_is_read_across_row_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.parquet");
        let mut sink = Box::new(Parquet::new(Aside::create(&path).unwrap()).unwrap());
        for i in 0..GROUP + 3 {
            let input = format!("photo {i}.jpg");
            let vector = vec![i as f32, -0.5, f32::MIN_POSITIVE];
            let modality = "image";
            let row = Embedding {
                modality,
                input: &input,
                vector,
            };
            sink.put(row).unwrap();
        }
        assert!(!path.exists());
        sink.finish(&Done::default()).unwrap();
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        for (i, row) in reader.get_row_iter(None).unwrap().enumerate() {
            let row = row.unwrap();
            assert_eq!(row.get_string(0).unwrap(), "image");
            assert_eq!(row.get_string(1).unwrap(), &format!("photo {i}.jpg"));
            let list = row.get_list(2).unwrap();
            let numbers: Vec<f32> = list
                .elements()
                .iter()
                .map(|field| match field {
                    parquet::record::Field::Float(x) => *x,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(numbers, [i as f32, -0.5, f32::MIN_POSITIVE]);
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.parquet");
        drop(Parquet::new(Aside::create(&path).unwrap()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
