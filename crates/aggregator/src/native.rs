//! Columns in ClickHouse's Native format
//! (<https://clickhouse.com/docs/interfaces/formats/Native>): the form that costs the engine least to read.

use std::borrow::Cow;

use bytes::Bytes;
use events::Role;

/// What a chunk holds, in bytes; one that begins with a longer value holds that alone.
const CHUNK: usize = 256 << 10;

/// Bytes in the order in which they were written, in chunks of one size, which are sent as they are.
///
/// One buffer of many megabytes that grows leaves holes of many megabytes in the allocator's memory, and ingestion takes
/// twice what it holds. Chunks of one size that are freed are used again.
#[derive(Debug, Default)]
pub(crate) struct ChunkedBuffer {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    full_bytes: usize,
}

/// The range of one value, which is within one chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BufferRange {
    chunk: usize,
    start: usize,
    len: usize,
}

impl ChunkedBuffer {
    /// Writes bytes into one chunk, and returns where they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> BufferRange {
        if self.last.len() + bytes.len() > CHUNK && !self.last.is_empty() {
            self.full_bytes += self.last.len();
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(CHUNK));
            self.full.push(full);
        }
        let start = self.last.len();
        self.last.extend_from_slice(bytes);
        BufferRange {
            chunk: self.full.len(),
            start,
            len: bytes.len(),
        }
    }

    /// The bytes of a range that [`ChunkedBuffer::write`] returned.
    pub(crate) fn read(&self, range: BufferRange) -> &[u8] {
        let chunk = self.full.get(range.chunk).unwrap_or(&self.last);
        &chunk[range.start..range.start + range.len]
    }

    /// The number of bytes.
    pub(crate) const fn len(&self) -> usize {
        self.full_bytes + self.last.len()
    }

    /// The chunks, in their order.
    fn into_chunks(self) -> impl Iterator<Item = Bytes> {
        let chunks = self.full.into_iter().chain([self.last]);
        chunks.filter(|chunk| !chunk.is_empty()).map(Bytes::from)
    }
}

/// The values of a column, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// Of arrays: after how many items of the column each ends.
    array_ends: ChunkedBuffer,
    values: ChunkedBuffer,
    items: u64,
}

impl Column {
    /// The number of bytes.
    pub(crate) const fn len(&self) -> usize {
        self.array_ends.len() + self.values.len()
    }
}

/// What a column holds, as its type encodes it.
pub(crate) trait Value {
    /// Adds it to its column.
    fn write(self, column: &mut Column);
}

/// A `String` of ClickHouse holds any bytes.
impl Value for &[u8] {
    fn write(self, column: &mut Column) {
        let (length, used) = leb128(self.len());
        column.values.write(&length[..used]);
        column.values.write(self);
    }
}

impl Value for &str {
    fn write(self, column: &mut Column) {
        self.as_bytes().write(column);
    }
}

impl Value for &[Cow<'_, str>] {
    fn write(self, column: &mut Column) {
        for item in self {
            item.as_bytes().write(column);
            column.items += 1;
        }
        column.array_ends.write(&column.items.to_le_bytes());
    }
}

/// A `UInt256`, its lower half first.
impl Value for [u128; 2] {
    fn write(self, column: &mut Column) {
        for half in self {
            half.write(column);
        }
    }
}

/// An `Enum8`.
impl Value for Role {
    fn write(self, column: &mut Column) {
        let number = match self {
            Self::User => 1,
            Self::Assistant => 2,
            Self::System => 3,
            Self::Tool => 4,
        };
        column.values.write(&[number]);
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn write(self, column: &mut Column) {
                column.values.write(&self.to_le_bytes());
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, i64, u128);

/// A block of columns, each after its name and its type, in the chunks that it is sent in.
pub(crate) fn block<const N: usize>(rows: usize, columns: [(&str, &str, Column); N]) -> Vec<Bytes> {
    let mut header = Vec::new();
    write_length(&mut header, N);
    write_length(&mut header, rows);
    let mut chunks = vec![Bytes::from(header)];
    for (name, type_name, column) in columns {
        let mut header = Vec::new();
        for text in [name, type_name] {
            write_length(&mut header, text.len());
            header.extend_from_slice(text.as_bytes());
        }
        chunks.push(header.into());
        chunks.extend(column.array_ends.into_chunks());
        chunks.extend(column.values.into_chunks());
    }
    chunks
}

fn write_length(into: &mut Vec<u8>, length: usize) {
    let (bytes, used) = leb128(length);
    into.extend_from_slice(&bytes[..used]);
}

/// An unsigned LEB128, as ClickHouse writes lengths and counts: its bytes, and how many of them are used.
fn leb128(mut value: usize) -> ([u8; 10], usize) {
    let (mut bytes, mut used) = ([0; 10], 0);
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit a byte");
        value >>= 7;
        bytes[used] = if value == 0 { low } else { low | 0x80 };
        used += 1;
        if value == 0 {
            return (bytes, used);
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
            write_length(&mut bytes, value);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn what_was_written_is_read_and_comes_out_in_order() {
        let mut buffer = ChunkedBuffer::default();
        let texts: Vec<Vec<u8>> = [1, CHUNK - 1, 1, 2 * CHUNK, 0, CHUNK, 7]
            .iter()
            .zip(b'a'..)
            .map(|(len, byte)| vec![byte; *len])
            .collect();
        let ranges: Vec<_> = texts.iter().map(|text| buffer.write(text)).collect();
        for (range, text) in ranges.into_iter().zip(&texts) {
            assert!(buffer.read(range) == text);
        }
        let whole = texts.concat();
        assert_eq!(buffer.len(), whole.len());
        let chunks: Vec<_> = buffer.into_chunks().collect();
        assert!(chunks.concat() == whole);
        let lengths: Vec<_> = chunks.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [CHUNK, 1, 2 * CHUNK, CHUNK, 7]);
    }
}
