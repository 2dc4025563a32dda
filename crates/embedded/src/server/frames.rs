//! ClickHouse's own compression frames: a checksum (CityHash128 1.0.2), a method, two sizes, and the data.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::exception::{Exception, Refusal};

const CHECKSUM: usize = 16;
/// Method, compressed size (of header and data), size of the data. Sizes are 32 bits, little-endian.
const HEADER: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;
/// The most that one frame may hold, compressed or not, in bytes; clients send blocks of a few MiB.
const LARGEST: usize = 256 * 1024 * 1024;
/// What LZ4 can shrink at best.
const LZ4_BEST: usize = 256;
/// How much data goes into a frame, in bytes: what a server puts there.
const BLOCK: usize = 1024 * 1024;

/// The data as frames.
pub(super) fn compress(data: &[u8]) -> Bytes {
    let mut frames = BytesMut::with_capacity(CHECKSUM + HEADER + data.len() / 2);
    for block in data.chunks(BLOCK) {
        let packed = lz4_flex::block::compress(block);
        let start = frames.len();
        frames.put_bytes(0, CHECKSUM);
        frames.put_u8(METHOD_LZ4);
        frames.put_u32_le(size(HEADER + packed.len()));
        frames.put_u32_le(size(block.len()));
        frames.extend_from_slice(&packed);
        if let Some((sum, rest)) = frames
            .get_mut(start..)
            .and_then(|frame| frame.split_at_mut_checked(CHECKSUM))
        {
            sum.copy_from_slice(&checksum(rest));
        }
    }
    frames.freeze()
}

/// Takes frames in pieces and gives their data.
#[derive(Debug, Default)]
pub(super) struct Frames {
    received: BytesMut,
}

impl Frames {
    /// Takes a piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.received.extend_from_slice(piece);
    }

    /// The data of the next frame, if all of it is here.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        let Some(mut header) = self.received.get(CHECKSUM..CHECKSUM + HEADER) else {
            return Ok(None);
        };
        let method = header.get_u8();
        let packed = length(header.get_u32_le())?;
        let unpacked = length(header.get_u32_le())?;
        let known = matches!(method, METHOD_LZ4 | METHOD_NONE);
        // A frame of random bytes is told by its method before gigabytes of it are waited for.
        if !known {
            return Err(Exception::new(
                Refusal::UnknownCodec,
                format!("Unknown codec family code: {method}; frames may be LZ4 (130) or uncompressed (2)"),
            ));
        }
        if packed < HEADER {
            return Err(Exception::new(
                Refusal::CannotDecompress,
                format!("Compressed size {packed} of a frame is smaller than its header"),
            ));
        }
        if self.received.len() < CHECKSUM + packed {
            return Ok(None);
        }
        let frame = self.received.split_to(CHECKSUM + packed).freeze();
        let (sum, rest) = frame.split_at(CHECKSUM);
        if checksum(rest) != sum {
            return Err(Exception::new(
                Refusal::ChecksumDoesntMatch,
                "Checksum doesn't match: corrupted data in a compressed frame of the request",
            ));
        }
        let data = frame.slice(CHECKSUM + HEADER..);
        if method == METHOD_NONE {
            return Ok(Some(data));
        }
        if unpacked > data.len().saturating_mul(LZ4_BEST) {
            return Err(cannot_decompress("a frame claims more data than LZ4 can hold"));
        }
        match lz4_flex::block::decompress(&data, unpacked) {
            Ok(out) if out.len() == unpacked => Ok(Some(out.into())),
            Ok(_) => Err(cannot_decompress("a frame holds less data than it claims")),
            Err(error) => Err(cannot_decompress(error)),
        }
    }

    /// Fails where a frame has only begun.
    pub(super) fn end(&self) -> Result<(), Exception> {
        if self.received.is_empty() {
            return Ok(());
        }
        Err(Exception::new(
            Refusal::CannotReadAllData,
            "Cannot read all data: the request ends in the middle of a compressed frame",
        ))
    }
}

fn cannot_decompress(why: impl std::fmt::Display) -> Exception {
    Exception::new(Refusal::CannotDecompress, format!("Cannot decompress: {why}"))
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    // ClickHouse writes the low half first.
    cityhash_rs::cityhash_102_128(bytes)
        .rotate_right(64)
        .to_le_bytes()
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block of at most 1 MiB stays far below 4 GiB when packed")
}

fn length(bytes: u32) -> Result<usize, Exception> {
    usize::try_from(bytes)
        .ok()
        .filter(|&bytes| bytes <= LARGEST)
        .ok_or_else(|| {
            Exception::new(
                Refusal::TooLargeSizeCompressed,
                format!(
                    "A compressed frame claims {bytes} bytes, more than {LARGEST}; most likely corrupted data"
                ),
            )
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpack(frames: &mut Frames) -> Result<Vec<u8>, Exception> {
        let mut data = Vec::new();
        while let Some(piece) = frames.next()? {
            data.extend_from_slice(&piece);
        }
        frames.end()?;
        Ok(data)
    }

    #[test]
    fn a_frame_is_what_clients_of_clickhouse_write() {
        // From the tests of the `clickhouse` crate.
        let data = [
            1, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 115, 6, 83, 116, 114, 105, 110, 103, 3, 97, 98, 99,
        ];
        let frame = [
            245, 5, 222, 235, 225, 158, 59, 108, 225, 31, 65, 215, 66, 66, 36, 92, 130, 34, 0, 0, 0, 23, 0,
            0, 0, 240, 8, 1, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 115, 6, 83, 116, 114, 105, 110, 103, 3,
            97, 98, 99,
        ];
        assert_eq!(compress(&data), &frame[..]);
        let mut frames = Frames::default();
        frames.push(&frame);
        assert_eq!(unpack(&mut frames), Ok(data.to_vec()));
    }

    #[test]
    fn frames_cut_anywhere_give_the_data_back() {
        let data: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let packed = compress(&data);
        let mut frames = Frames::default();
        let mut out = Vec::new();
        for piece in packed.chunks(4_099) {
            frames.push(piece);
            while let Some(data) = frames.next().unwrap() {
                out.extend_from_slice(&data);
            }
        }
        frames.end().unwrap();
        assert!(out == data);
    }

    #[test]
    fn a_changed_or_cut_frame_is_refused_by_its_code() {
        let good = compress(b"some data that matters");
        let refused = |frame: &[u8]| {
            let mut frames = Frames::default();
            frames.push(frame);
            unpack(&mut frames).unwrap_err()
        };
        let mut changed = good.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        let mut method = good.to_vec();
        method[CHECKSUM] = 0x90;
        let mut huge = good.to_vec();
        huge[CHECKSUM + 4] = 0x7f;
        for (frame, name) in [
            (&changed[..], "(CHECKSUM_DOESNT_MATCH)"),
            (&method[..], "(UNKNOWN_CODEC)"),
            (&huge[..], "(TOO_LARGE_SIZE_COMPRESSED)"),
            (&good[..good.len() - 1], "(CANNOT_READ_ALL_DATA)"),
            (&good[..3], "(CANNOT_READ_ALL_DATA)"),
        ] {
            let text = format!("{:?}", refused(frame));
            assert!(text.contains(name), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_data_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            let outcome = unpack(&mut frames);
            prop_assert!(bytes.is_empty() || outcome.is_err());
        }
    }
}
