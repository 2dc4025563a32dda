//! Columns in ClickHouse's Native format
//! (<https://clickhouse.com/docs/interfaces/formats/Native>): the form that costs the engine least to read.

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
        self.full.into_iter().chain([self.last]).map(Bytes::from)
    }
}

/// A column of a block: its values, one after the other, in the encoding of its type.
pub(crate) trait Column: Default {
    /// The type's name in ClickHouse.
    const TYPE: &'static str;

    /// A value of it.
    type Value<'a>;

    /// Writes a value.
    fn push(&mut self, value: Self::Value<'_>);

    /// The number of bytes of its values.
    fn len(&self) -> usize;

    /// Its values, in the chunks that they are sent in.
    fn into_chunks(self) -> impl Iterator<Item = Bytes>;
}

/// Columns whose values are written into one buffer, and how a value is.
macro_rules! columns {
    ($($(#[$doc:meta])* $column:ident($value:ty) = $type:literal, |$buffer:ident, $given:ident| $write:block)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $column(ChunkedBuffer);

        impl Column for $column {
            const TYPE: &'static str = $type;

            type Value<'a> = $value;

            fn push(&mut self, $given: Self::Value<'_>) {
                let $buffer = &mut self.0;
                $write
            }

            fn len(&self) -> usize {
                self.0.len()
            }

            fn into_chunks(self) -> impl Iterator<Item = Bytes> {
                self.0.into_chunks()
            }
        }
    )*};
}

columns! {
    /// Text.
    Text(&'a str) = "String", |buffer, value| { write_string(buffer, value.as_bytes()); }

    /// Text that is given as bytes: a `String` of ClickHouse holds any.
    TextBytes(&'a [u8]) = "String", |buffer, value| { write_string(buffer, value); }

    /// A UUID as a number.
    UInt128(u128) = "UInt128", |buffer, value| { buffer.write(&value.to_le_bytes()); }

    /// A number, by its bytes from the lowest on.
    UInt256([u8; 32]) = "UInt256", |buffer, value| { buffer.write(&value); }

    /// Milliseconds since 1970, of any year.
    Int64(i64) = "Int64", |buffer, value| { buffer.write(&value.to_le_bytes()); }

    /// Milliseconds since 1970.
    DateTime64(i64) = "DateTime64(3, 'UTC')", |buffer, value| { buffer.write(&value.to_le_bytes()); }

    /// Seconds since 1970.
    DateTime(u32) = "DateTime('UTC')", |buffer, value| { buffer.write(&value.to_le_bytes()); }

    /// Days since 1970.
    Date(u16) = "Date", |buffer, value| { buffer.write(&value.to_le_bytes()); }

    /// Who wrote a message.
    RoleEnum(Role) = "Enum8('user' = 1, 'assistant' = 2, 'system' = 3, 'tool' = 4)", |buffer, value| {
        let number = match value {
            Role::User => 1,
            Role::Assistant => 2,
            Role::System => 3,
            Role::Tool => 4,
        };
        buffer.write(&[number]);
    }
}

/// Arrays of text: where each array ends, then the items of all of them.
#[derive(Debug, Default)]
pub(crate) struct TextArray {
    ends: ChunkedBuffer,
    items: ChunkedBuffer,
    count: u64,
}

impl Column for TextArray {
    const TYPE: &'static str = "Array(String)";

    type Value<'a> = Vec<&'a str>;

    fn push(&mut self, items: Vec<&str>) {
        for item in items {
            write_string(&mut self.items, item.as_bytes());
            self.count += 1;
        }
        self.ends.write(&self.count.to_le_bytes());
    }

    fn len(&self) -> usize {
        self.ends.len() + self.items.len()
    }

    fn into_chunks(self) -> impl Iterator<Item = Bytes> {
        self.ends.into_chunks().chain(self.items.into_chunks())
    }
}

/// A block under construction, in the chunks that it is sent in.
#[derive(Debug)]
pub(crate) struct Block {
    chunks: Vec<Bytes>,
}

impl Block {
    /// A block of that many rows, and of that many columns, which are then added.
    pub(crate) fn new(columns: usize, rows: usize) -> Self {
        let mut header = Vec::with_capacity(8);
        write_length(&mut header, columns);
        write_length(&mut header, rows);
        Self {
            chunks: vec![header.into()],
        }
    }

    /// Adds a column under its name.
    pub(crate) fn column<C: Column>(mut self, name: &str, column: C) -> Self {
        let mut header = Vec::with_capacity(64);
        for text in [name, C::TYPE] {
            write_length(&mut header, text.len());
            header.extend_from_slice(text.as_bytes());
        }
        self.chunks.push(header.into());
        self.chunks.extend(column.into_chunks());
        self
    }

    /// The whole of it.
    pub(crate) fn into_chunks(self) -> Vec<Bytes> {
        self.chunks
    }
}

fn write_length(into: &mut Vec<u8>, length: usize) {
    let (bytes, used) = leb128(length);
    into.extend_from_slice(&bytes[..used]);
}

fn write_string(into: &mut ChunkedBuffer, value: &[u8]) {
    let (bytes, used) = leb128(value.len());
    into.write(&bytes[..used]);
    into.write(value);
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
