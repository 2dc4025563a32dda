//! Apache Parquet, in row groups of bounded size.

use std::sync::Arc;

use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::parser::parse_message_type,
};

use super::tables::{Column, Table};

/// A row group ends with the chunk that gives it this much text, in bytes.
const ROW_GROUP_BYTES: usize = 16 << 20;
/// And with the chunk that gives it so many rows.
const ROW_GROUP_ROWS: usize = 100_000;

/// Writes the rows of a table.
pub(super) struct Writer<T: Table> {
    table: T,
    file: SerializedFileWriter<Vec<u8>>,
    /// Those of the row group that is not written yet, and what their texts take, in bytes.
    rows: Vec<T::Row>,
    bytes: usize,
}

impl<T: Table> Writer<T> {
    pub(super) fn new(table: T) -> Self {
        let schema = parse_message_type(&table.schema()).expect("the schemas of the tables are correct");
        // An index of pages would be kept of all row groups until the end.
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties));
        Self {
            table,
            file: written(file),
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes rows. Returns what is to be written next, if a row group is full.
    pub(super) fn write(&mut self, rows: Vec<T::Row>) -> Vec<u8> {
        self.bytes += rows.iter().map(T::text_bytes).sum::<usize>();
        self.rows.extend(rows);
        if self.bytes >= ROW_GROUP_BYTES || self.rows.len() >= ROW_GROUP_ROWS {
            written(self.end_row_group());
        }
        self.written()
    }

    /// Ends the file. Returns the rest of it.
    pub(super) fn end(&mut self) -> Vec<u8> {
        if !self.rows.is_empty() {
            written(self.end_row_group());
        }
        written(self.file.finish());
        self.written()
    }

    /// What was written since this was asked last.
    pub(super) fn written(&mut self) -> Vec<u8> {
        written(self.file.flush());
        std::mem::take(self.file.inner_mut())
    }

    fn end_row_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for values in self.table.columns(&self.rows) {
            let mut column = group
                .next_column()?
                .expect("the schema has a column for each that a table has");
            write_column(&mut column, values)?;
            column.close()?;
        }
        group.close()?;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }
}

fn write_column(column: &mut SerializedColumnWriter<'_>, values: Column<'_>) -> Result<(), ParquetError> {
    match values {
        Column::Texts(texts) => {
            let texts: Vec<_> = texts
                .iter()
                .map(|text| ByteArray::from(text.as_bytes()))
                .collect();
            column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
        }
        Column::Lists(lists) => {
            let (mut texts, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
            for list in lists {
                if list.is_empty() {
                    definitions.push(0);
                    repetitions.push(0);
                }
                for (number, text) in list.iter().enumerate() {
                    texts.push(ByteArray::from(text.as_bytes()));
                    definitions.push(1);
                    repetitions.push(i16::from(number > 0));
                }
            }
            column
                .typed::<ByteArrayType>()
                .write_batch(&texts, Some(&definitions), Some(&repetitions))?;
        }
        Column::Numbers(numbers) => {
            column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
        }
        Column::Days(days) => {
            column.typed::<Int32Type>().write_batch(&days, None, None)?;
        }
    }
    Ok(())
}

/// What was done, to a file in memory.
fn written<V>(done: Result<V, impl std::fmt::Debug>) -> V {
    done.expect("a vector takes whatever is written, and the columns are those of the schema")
}
