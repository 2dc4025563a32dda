//! Batches of records as a log holds them.

use std::ops::Range;

const BASE_OFFSET: Range<usize> = 0..8;
const LENGTH: Range<usize> = 8..12;
const CHECKSUM: Range<usize> = 17..21;
/// Behind the header come the records, packed together or not at all.
const RECORDS: usize = 61;

/// Changes the records of batches of a segment, and sets their checksums right. `change` is given the offset where a batch
/// begins, and returns whether it has changed any.
pub(super) fn change(mut segment: &mut [u8], mut change: impl FnMut(i64, &mut [u8]) -> bool) {
    while segment.len() > RECORDS {
        let length = u32::from_be_bytes(part(segment, LENGTH));
        let end = LENGTH.end + usize::try_from(length).expect("a batch fits into memory");
        let (batch, rest) = segment.split_at_mut(end);
        let offset = i64::from_be_bytes(part(batch, BASE_OFFSET));
        if change(offset, &mut batch[RECORDS..]) {
            let checksum = crc32c(&batch[CHECKSUM.end..]);
            batch[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        }
        segment = rest;
    }
}

fn part<const N: usize>(bytes: &[u8], range: Range<usize>) -> [u8; N] {
    bytes[range].try_into().expect("the field is as long")
}

/// CRC-32C, which Kafka has for batches.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let add = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    };
    !bytes.iter().fold(u32::MAX, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
