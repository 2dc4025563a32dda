//! Bytes that are collected, in pieces of one size.
//!
//! A buffer of many megabytes that grows leaves holes of many megabytes behind in the allocator's memory, and ingestion
//! takes twice what it holds. What is freed in pieces of one size is taken again.

use bytes::Bytes;

/// What a piece holds, in bytes; one that begins with more holds that alone.
const PIECE: usize = 256 << 10;

/// Bytes in the order in which they were written.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    full_bytes: usize,
}

/// Where some bytes are, which lie in one piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    piece: usize,
    start: usize,
    len: usize,
}

impl Pieces {
    pub(crate) const fn new() -> Self {
        Self {
            full: Vec::new(),
            last: Vec::new(),
            full_bytes: 0,
        }
    }

    /// Writes bytes into one piece, and tells where they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Place {
        if self.last.len() + bytes.len() > PIECE && !self.last.is_empty() {
            self.full_bytes += self.last.len();
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(PIECE));
            self.full.push(full);
        }
        let start = self.last.len();
        self.last.extend_from_slice(bytes);
        Place {
            piece: self.full.len(),
            start,
            len: bytes.len(),
        }
    }

    /// The bytes at a place that [`Pieces::write`] told.
    pub(crate) fn read(&self, place: Place) -> &[u8] {
        let piece = self.full.get(place.piece).unwrap_or(&self.last);
        &piece[place.start..place.start + place.len]
    }

    /// How many bytes they are.
    pub(crate) const fn len(&self) -> usize {
        self.full_bytes + self.last.len()
    }

    /// The pieces, in their order.
    pub(crate) fn into_bytes(self) -> impl Iterator<Item = Bytes> {
        self.full.into_iter().chain([self.last]).map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_comes_out_in_order() {
        let mut pieces = Pieces::new();
        let texts: Vec<Vec<u8>> = [1, PIECE - 1, 1, 2 * PIECE, 0, PIECE, 7]
            .iter()
            .zip(b'a'..)
            .map(|(len, byte)| vec![byte; *len])
            .collect();
        let places: Vec<_> = texts.iter().map(|text| pieces.write(text)).collect();
        for (place, text) in places.into_iter().zip(&texts) {
            assert!(pieces.read(place) == text);
        }
        let whole = texts.concat();
        assert_eq!(pieces.len(), whole.len());
        let pieces: Vec<_> = pieces.into_bytes().collect();
        assert!(pieces.concat() == whole);
        let lengths: Vec<_> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [PIECE, 1, 2 * PIECE, PIECE, 7]);
    }
}
