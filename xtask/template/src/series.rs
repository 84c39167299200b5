//! From text to a table of finite numbers, a row per moment.

use sensorium_core::Source;

use crate::TemplateError;

/// No honest series is larger; a hostile file must not fill the memory.
const MAX_BYTES: u64 = 64 << 20;

/// Numbers row by row; every row has `channels` of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) values: Vec<f32>,
    pub(crate) channels: usize,
}

impl Series {
    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.channels
    }

    /// Reads a series of at most `max_rows` rows.
    ///
    /// In a file each line is a row; its first line may be a header, and lines that begin with `#` are skipped. In a
    /// manifest's cell `;` separates rows, and without one each number is a row.
    pub(crate) fn read(source: &Source, max_rows: usize) -> Result<Self, TemplateError> {
        let name = source.describe();
        let data = source.read(MAX_BYTES)?;
        let Ok(text) = std::str::from_utf8(&data) else {
            return Err(TemplateError::NotText { name });
        };
        let text = text.trim_start_matches('\u{feff}');
        let is_cell = matches!(source, Source::Text(_));
        if is_cell && !text.contains([';', '\n']) {
            let rows = text.split([' ', '\t', ',']).filter(|cell| !cell.is_empty());
            return table(rows.map(|cell| (1, cell)), &name, max_rows);
        }
        let rows = if is_cell {
            text.split([';', '\n']).collect::<Vec<_>>()
        } else {
            text.lines().collect()
        };
        let rows = rows.into_iter().enumerate();
        let rows = rows.map(|(index, row)| (index + 1, row.trim()));
        let rows = rows.filter(|(line, row)| {
            !(row.is_empty() || row.starts_with('#') || *line == 1 && is_header(row))
        });
        table(rows, &name, max_rows)
    }
}

/// Cells of a row. Files use commas, semicolons or white space.
fn cells(row: &str) -> impl Iterator<Item = &str> {
    row.split([' ', '\t', ',', ';'])
        .filter(|cell| !cell.is_empty())
}

/// A first line without any number names the columns.
fn is_header(row: &str) -> bool {
    cells(row).all(|cell| cell.parse::<f32>().is_err())
}

/// Joins rows, each with its line number, into a table.
fn table<'a>(
    rows: impl Iterator<Item = (usize, &'a str)>,
    name: &str,
    max_rows: usize,
) -> Result<Series, TemplateError> {
    let mut series = Series {
        values: Vec::new(),
        channels: 0,
    };
    for (row, (line, text)) in rows.enumerate() {
        if row == max_rows {
            return Err(TemplateError::TooLong {
                name: name.to_owned(),
                rows: row + 1,
                limit: max_rows,
            });
        }
        let before = series.values.len();
        for cell in cells(text) {
            series.values.push(number(cell, line, name)?);
        }
        let found = series.values.len() - before;
        if row == 0 {
            series.channels = found;
        } else if found != series.channels {
            return Err(TemplateError::Ragged {
                name: name.to_owned(),
                line,
                found,
                expected: series.channels,
            });
        }
    }
    if series.values.is_empty() {
        return Err(TemplateError::Empty {
            name: name.to_owned(),
        });
    }
    Ok(series)
}

fn number(cell: &str, line: usize, name: &str) -> Result<f32, TemplateError> {
    let (name, cell_text) = (name.to_owned(), cell.to_owned());
    match cell.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(TemplateError::NotFinite {
            name,
            line,
            cell: cell_text,
        }),
        Err(_) => Err(TemplateError::NotANumber {
            name,
            line,
            cell: cell_text,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: Source) -> Result<Series, String> {
        Series::read(&source, 4).map_err(|error| error.to_string())
    }

    fn file(text: impl AsRef<[u8]>) -> Source {
        Source::bytes("s.csv", text.as_ref().to_vec())
    }

    #[test]
    fn cells_and_files_are_read() {
        for (source, channels, values) in [
            (Source::text("1 -2.5 3e1"), 1, vec![1.0, -2.5, 30.0]),
            (Source::text("1 2; 3 4"), 2, vec![1.0, 2.0, 3.0, 4.0]),
            (file("1,2\n3,4\n"), 2, vec![1.0, 2.0, 3.0, 4.0]),
            (
                file("a,b\n# note\n1,2\r\n\n3,4"),
                2,
                vec![1.0, 2.0, 3.0, 4.0],
            ),
            (file("1 2"), 2, vec![1.0, 2.0]),
            (file("\u{feff}1\n2"), 1, vec![1.0, 2.0]),
        ] {
            assert_eq!(read(source), Ok(Series { values, channels }));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        for (source, expected) in [
            (file("1,2\n3,x\n"), "s.csv, line 2: \"x\" is not a number"),
            (
                file("1\nNaN\n"),
                "s.csv, line 2: \"NaN\" is not finite; remove the row or fill the gap",
            ),
            (
                file("1\n1e39\n"),
                "s.csv, line 2: \"1e39\" is not finite; remove the row or fill the gap",
            ),
            (
                file("1,2\n3\n"),
                "s.csv, line 2: has 1 numbers, but the lines before have 2",
            ),
            (file(""), "s.csv: holds no numbers"),
            (Source::text("  "), "text \"  \": holds no numbers"),
            (file("name\n"), "s.csv: holds no numbers"),
            (
                file("1\n2\n3\n4\n5\n"),
                "s.csv: has 5 rows, more than the 4 allowed; raise `max_rows` or shorten it",
            ),
            (
                file([0xff, 0xfe, 0x00]),
                "s.csv: is not UTF-8 text; series are numbers in a .csv or .txt file",
            ),
        ] {
            assert_eq!(read(source), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let message = read(Source::path(dir.path().join("gone.csv"))).unwrap_err();
        assert!(message.contains("gone.csv"), "{message}");
    }
}
