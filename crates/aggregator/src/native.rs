//! Column buffers in ClickHouse's Native format
//! (<https://clickhouse.com/docs/interfaces/formats/Native>): the form that costs the engine least to read.
//!
//! Values are written into the pieces that they are sent in.

use bytes::Bytes;

use crate::pieces::Pieces;

/// One column of a block: its values, one after the other, in the encoding of its type.
#[derive(Debug)]
pub(crate) struct Column {
    name: &'static str,
    data_type: &'static str,
    values: Pieces,
}

impl Column {
    pub(crate) const fn new(name: &'static str, data_type: &'static str) -> Self {
        Self {
            name,
            data_type,
            values: Pieces::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn push_u128(&mut self, value: u128) {
        self.push_bytes(&value.to_le_bytes());
    }

    pub(crate) fn push_i64(&mut self, value: i64) {
        self.push_bytes(&value.to_le_bytes());
    }

    pub(crate) fn push_u32(&mut self, value: u32) {
        self.push_bytes(&value.to_le_bytes());
    }

    /// Writes a value of a fixed width, as it stands.
    pub(crate) fn push_bytes(&mut self, value: &[u8]) {
        self.values.write(value);
    }

    pub(crate) fn push_u8(&mut self, value: u8) {
        self.push_bytes(&[value]);
    }

    pub(crate) fn push_str(&mut self, value: &str) {
        self.push_text(value.as_bytes());
    }

    /// Writes a `String`, which in ClickHouse is any bytes.
    pub(crate) fn push_text(&mut self, value: &[u8]) {
        write_text(&mut self.values, value);
    }

    fn header(&self, into: &mut Vec<u8>) {
        write_str(into, self.name);
        write_str(into, self.data_type);
    }
}

/// A column of arrays: where each array ends, then the items of all of them.
#[derive(Debug)]
pub(crate) struct ArrayColumn {
    ends: Column,
    items: Pieces,
    count: u64,
}

impl ArrayColumn {
    pub(crate) const fn new(name: &'static str, data_type: &'static str) -> Self {
        Self {
            ends: Column::new(name, data_type),
            items: Pieces::new(),
            count: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len() + self.items.len()
    }

    pub(crate) fn push_strs<'a>(&mut self, strings: impl Iterator<Item = &'a str>) {
        for string in strings {
            write_text(&mut self.items, string.as_bytes());
            self.count += 1;
        }
        self.ends.push_bytes(&self.count.to_le_bytes());
    }
}

/// A block under construction, in the pieces that it is sent in.
#[derive(Debug, Default)]
pub(crate) struct Block {
    rows: usize,
    pieces: Vec<Bytes>,
}

impl Block {
    /// A block of `rows` rows and as many columns as are then added.
    pub(crate) fn new(columns: usize, rows: usize) -> Self {
        let mut header = Vec::with_capacity(8);
        write_len(&mut header, columns);
        write_len(&mut header, rows);
        Self {
            rows,
            pieces: vec![header.into()],
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(crate) fn column(mut self, column: Column) -> Self {
        let mut header = Vec::with_capacity(64);
        column.header(&mut header);
        self.pieces.push(header.into());
        self.pieces.extend(column.values.into_bytes());
        self
    }

    pub(crate) fn array(mut self, column: ArrayColumn) -> Self {
        self = self.column(column.ends);
        self.pieces.extend(column.items.into_bytes());
        self
    }

    pub(crate) fn into_pieces(self) -> Vec<Bytes> {
        self.pieces
    }
}

fn write_str(into: &mut Vec<u8>, value: &str) {
    write_len(into, value.len());
    into.extend_from_slice(value.as_bytes());
}

fn write_len(into: &mut Vec<u8>, value: usize) {
    let (bytes, length) = leb128(value);
    into.extend_from_slice(&bytes[..length]);
}

fn write_text(into: &mut Pieces, value: &[u8]) {
    let (bytes, length) = leb128(value.len());
    into.write(&bytes[..length]);
    into.write(value);
}

/// An unsigned LEB128, as ClickHouse writes lengths and counts: bytes, of which the first so many count.
fn leb128(mut value: usize) -> ([u8; 10], usize) {
    let (mut bytes, mut length) = ([0; 10], 0);
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit a byte");
        value >>= 7;
        bytes[length] = if value == 0 { low } else { low | 0x80 };
        length += 1;
        if value == 0 {
            return (bytes, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_seven_bits_at_a_time() {
        for (value, expected) in [
            (0, vec![0]),
            (127, vec![127]),
            (128, vec![0x80, 1]),
            (300, vec![0xac, 2]),
        ] {
            let mut bytes = Vec::new();
            write_len(&mut bytes, value);
            assert_eq!(bytes, expected);
        }
    }
}
