//! Payloads with lengths and checksums, one after another.

use std::io::{self, Read};

/// The first bytes of every segment.
pub(super) const MAGIC: [u8; 8] = *b"tickwire";
/// The version of the format.
pub(super) const VERSION: u16 = 4;
/// Bytes of a block before its payload.
const HEAD_BYTES: usize = 12;
/// Most bytes of a payload: all lanes of all entities that a room may have fit.
pub(super) const PAYLOAD_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// Appends a block with this payload to `out`.
pub(super) fn put_block(out: &mut Vec<u8>, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc32fast::hash(&length).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// The next part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A payload that fits its checksum.
    Whole(Vec<u8>),
    /// The file ends between two blocks.
    End,
    /// The file ends within a block, after this many bytes of it.
    Cut(u64),
    /// A fault, in words.
    Damaged(&'static str),
}

/// Reads the next block. Of what the file does not have, nothing is allocated.
pub(super) fn read_block(input: &mut impl Read) -> io::Result<Block> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    input.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let [length, length_sum, sum] = match head.len() {
        0 => return Ok(Block::End),
        HEAD_BYTES => [0, 4, 8].map(|at| word(&head, at)),
        cut => return Ok(Block::Cut(cut as u64)),
    };
    if crc32fast::hash(&head[..4]) != length_sum {
        return Ok(Block::Damaged("the length of a record does not fit its checksum"));
    }
    if length > PAYLOAD_BYTES_MAX {
        return Ok(Block::Damaged("a record is longer than any that is written"));
    }
    let mut payload = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut payload)?;
    if payload.len() < length as usize {
        return Ok(Block::Cut((HEAD_BYTES + payload.len()) as u64));
    }
    if crc32fast::hash(&payload) != sum {
        return Ok(Block::Damaged("a record does not fit its checksum"));
    }
    Ok(Block::Whole(payload))
}

/// Bytes of a block with this payload.
pub(super) fn block_bytes(payload: &[u8]) -> u64 {
    (HEAD_BYTES + payload.len()) as u64
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_cut_and_every_flipped_bit_nothing_else_is_read() {
        let mut file = Vec::new();
        put_block(&mut file, b"one");
        let first = file.len();
        put_block(&mut file, b"");
        let mut input = &file[..];
        assert_eq!(read_block(&mut input).unwrap(), Block::Whole(b"one".to_vec()));
        assert_eq!(read_block(&mut input).unwrap(), Block::Whole(Vec::new()));
        assert_eq!(read_block(&mut input).unwrap(), Block::End);
        for cut in 1..first {
            assert_eq!(read_block(&mut &file[..cut]).unwrap(), Block::Cut(cut as u64));
        }
        for bit in 0..8 * first {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = read_block(&mut &flipped[..]).unwrap();
            assert!(matches!(read, Block::Damaged(_)), "bit {bit}: {read:?}");
        }
    }
}
