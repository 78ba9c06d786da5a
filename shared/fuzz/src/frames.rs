//! Drives the frame reader of a stream.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tickwire_shared::control::{FrameError, FrameReader, write_frame};

use crate::bounded;

/// An empty kind of entity is two bytes on the wire and 48 in memory, in a vector that doubles.
const FRAME_MULTIPLE: usize = 160;

/// Reads a stream's bytes as they come and in two pieces, and writes again what was read.
///
/// # Panics
/// If the pieces make a difference, if a frame does not survive being written, or if too much is
/// allocated.
pub fn read_frames<T: Serialize + DeserializeOwned>(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let whole = bounded(bytes.len(), FRAME_MULTIPLE, || read::<T>(&[bytes]));
    let (first, second) = bytes.split_at(bytes.len() * usize::from(cut) / 256);
    let pieces = bounded(bytes.len(), FRAME_MULTIPLE, || read::<T>(&[first, second]));

    let written = write(&whole.0);
    assert_eq!(whole.1, pieces.1, "the same error");
    assert_eq!(written, write(&pieces.0), "the same frames");
    let again = read::<T>(&[&written]);
    assert_eq!(again.1, None, "what was written can be read");
    assert_eq!(written, write(&again.0));
}

fn read<T: DeserializeOwned>(pieces: &[&[u8]]) -> (Vec<T>, Option<FrameError>) {
    let mut reader = FrameReader::default();
    let mut frames = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.poll() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Frames are compared as bytes: a schema may hold a NaN, which is not equal to itself.
fn write<T: Serialize>(frames: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| write_frame(frame, &mut bytes));
    bytes
}
