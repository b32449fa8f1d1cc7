//! Parquet: a typed column for each thing that an auditor asks for, a row for each entry, sorted by index.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::basic::ZstdLevel;
use parquet::column::writer::ColumnCloseResult;
use parquet::column::writer::ColumnWriter;
use parquet::column::writer::get_column_writer;
use parquet::data_type::ByteArray;
use parquet::data_type::FixedLenByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::file::writer::SerializedPageWriter;
use parquet::file::writer::TrackedWrite;
use parquet::schema::parser::parse_message_type;

use super::ExportError;
use super::columns;
use super::columns::COLUMNS;
use super::columns::Cell;
use super::columns::Form;
use super::columns::REQUIRED;
use super::draft::HashingFile;
use super::rows::Row;
use super::rows::Rows;
use crate::tlog::merkle::Hash;

const GROUP_ROWS: usize = 250_000;
/// A column's values are encoded so many at a time.
const BATCH: usize = 1_024;

/// The signed checkpoint that covers the rows stands in the file's metadata.
const CHECKPOINT: &str = "landbridge.checkpoint";

pub(super) fn write(
    rows: &mut Rows<'_>,
    file: HashingFile,
    note: &str,
) -> Result<Hash, ExportError> {
    let schema = Arc::new(parse_message_type(&schema())?);
    let mut parquet = SerializedFileWriter::new(file, schema, Arc::new(properties(note)?))?;
    while let Some(first) = rows.next()? {
        write_group(rows, first, &mut parquet)?;
    }
    parquet.into_inner()?.finish()
}

/// The schema in Parquet's own language.
fn schema() -> String {
    let columns: String = COLUMNS
        .iter()
        .map(|column| declaration(column.name, column.form))
        .collect();
    let other = declaration(columns::OTHER, Form::Text);
    format!("message journal {{ {columns}{other}}}")
}

fn declaration(name: &str, form: Form) -> String {
    let list = |element: &str| {
        format!("optional group {name} (LIST) {{ repeated group list {{ required {element}; }} }} ")
    };
    let needed = match REQUIRED.contains(&name) {
        true => "required",
        false => "optional",
    };
    match form {
        Form::Number => format!("{needed} int64 {name} (INTEGER(64,false)); "),
        Form::Time => format!("{needed} int64 {name} (TIMESTAMP(MICROS,true)); "),
        Form::Text => format!("{needed} byte_array {name} (STRING); "),
        Form::Id => format!("{needed} fixed_len_byte_array(16) {name} (UUID); "),
        Form::Hash => format!("{needed} fixed_len_byte_array(32) {name}; "),
        Form::Bytes => format!("{needed} byte_array {name}; "),
        Form::Texts => list("byte_array element (STRING)"),
        Form::Tags => list("byte_array element"),
    }
}

fn properties(note: &str) -> Result<WriterProperties, ParquetError> {
    let by_index = SortingColumn {
        column_idx: 0,
        descending: false,
        nulls_first: false,
    };
    Ok(WriterProperties::builder()
        .set_created_by(format!("landbridge {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_sorting_columns(Some(vec![by_index]))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            CHECKPOINT.to_owned(),
            note.to_owned(),
        )]))
        .build())
}

/// Parquet wants one column after another, the journal gives one row after another: the columns of a group are encoded and
/// compressed side by side in memory, and then copied into the file.
fn write_group(
    rows: &mut Rows<'_>,
    first: Row,
    parquet: &mut SerializedFileWriter<HashingFile>,
) -> Result<(), ExportError> {
    let descriptors = parquet.schema_descr().columns().to_vec();
    let properties = parquet.properties().clone();
    let mut sinks: Vec<_> = descriptors
        .iter()
        .map(|_| TrackedWrite::new(Vec::new()))
        .collect();
    let mut encoders: Vec<_> = descriptors
        .iter()
        .zip(&mut sinks)
        .map(|(descriptor, sink)| {
            let pages = Box::new(SerializedPageWriter::new(sink));
            let writer = get_column_writer(descriptor.clone(), properties.clone(), pages);
            Encoder::new(
                writer,
                descriptor.max_def_level(),
                descriptor.max_rep_level(),
            )
        })
        .collect();
    let (mut next, mut count) = (Some(first), 0);
    while let Some(row) = next {
        encode(&row, &mut encoders)?;
        count += 1;
        next = match count < GROUP_ROWS {
            true => rows.next()?,
            false => None,
        };
    }
    let closed = encoders.into_iter().map(Encoder::close);
    let closed = closed.collect::<Result<Vec<_>, _>>()?;
    let mut group = parquet.next_row_group()?;
    for (sink, closed) in sinks.into_iter().zip(closed) {
        group.append_column(&Bytes::from(sink.into_inner()?), closed)?;
    }
    group.close()?;
    Ok(())
}

fn encode(row: &Row, encoders: &mut [Encoder<'_>]) -> Result<(), ExportError> {
    let other = columns::other(row)?;
    let cells = COLUMNS.iter().map(|column| (column.cell)(row));
    let last = other.as_deref().map_or(Cell::None, Cell::Text);
    for (encoder, cell) in encoders.iter_mut().zip(cells.chain([last])) {
        encoder.add(&cell)?;
    }
    Ok(())
}

/// One column of one group.
struct Encoder<'a> {
    writer: ColumnWriter<'a>,
    /// The level of a value that is there; 0 where it must be there.
    defined: i16,
    /// The level of the second element of a list and of those after it; 0 where there are no lists.
    repeated: i16,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    /// Of these, the writer's type says which one is filled.
    numbers: Vec<i64>,
    bytes: Vec<ByteArray>,
    fixed: Vec<FixedLenByteArray>,
}

impl<'a> Encoder<'a> {
    fn new(writer: ColumnWriter<'a>, defined: i16, repeated: i16) -> Self {
        Self {
            writer,
            defined,
            repeated,
            definitions: Vec::new(),
            repetitions: Vec::new(),
            numbers: Vec::new(),
            bytes: Vec::new(),
            fixed: Vec::new(),
        }
    }

    fn add(&mut self, cell: &Cell<'_>) -> Result<(), ParquetError> {
        let bytes = |bytes: &[u8]| ByteArray::from(bytes.to_vec());
        let mut values = 1;
        match cell {
            Cell::None => values = 0,
            Cell::Number(number) => self.numbers.push(number.cast_signed()),
            Cell::Time(time) => self.numbers.push(time.micros()),
            Cell::Text(text) => self.bytes.push(bytes(text.as_bytes())),
            Cell::Bytes(part) => self.bytes.push(bytes(part)),
            Cell::Id(id) => self.fixed.push(bytes(id.bytes()).into()),
            Cell::Hash(hash) => self.fixed.push(bytes(hash).into()),
            Cell::Texts(texts) => {
                values = texts.len();
                let texts = texts.iter().map(|text| bytes(text.as_bytes()));
                self.bytes.extend(texts);
            }
            Cell::Tags(tags) => {
                values = tags.len();
                self.bytes.extend(tags.iter().map(|tag| bytes(&tag.tag)));
            }
        }
        self.levels_of(values);
        match self.definitions.len() < BATCH {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// A value that is not there, and a list of none, has the level 0.
    fn levels_of(&mut self, values: usize) {
        self.definitions
            .push(if values > 0 { self.defined } else { 0 });
        self.repetitions.push(0);
        for _ in 1..values {
            self.definitions.push(self.defined);
            self.repetitions.push(self.repeated);
        }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let definitions = (self.defined > 0).then_some(self.definitions.as_slice());
        let repetitions = (self.repeated > 0).then_some(self.repetitions.as_slice());
        match &mut self.writer {
            ColumnWriter::Int64ColumnWriter(writer) => {
                writer.write_batch(&self.numbers, definitions, repetitions)?
            }
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                writer.write_batch(&self.bytes, definitions, repetitions)?
            }
            ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                writer.write_batch(&self.fixed, definitions, repetitions)?
            }
            _ => {
                return Err(ParquetError::General(
                    "a column of no known type".to_owned(),
                ));
            }
        };
        self.definitions.clear();
        self.repetitions.clear();
        self.numbers.clear();
        self.bytes.clear();
        self.fixed.clear();
        Ok(())
    }

    fn close(mut self) -> Result<ColumnCloseResult, ParquetError> {
        self.flush()?;
        self.writer.close()
    }
}
