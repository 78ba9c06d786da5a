//! The written frames of one stream, kept until the client has them.

use std::collections::VecDeque;

use bytes::Bytes;
use tickwire_shared::control::FRAME_LENGTH_BYTES;

/// Frames of one stream that were written and not acknowledged.
#[derive(Debug, Default)]
pub(super) struct KeptFrames {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Frames written since the session began.
    written: u32,
    /// The number of those no longer kept: acknowledged, or beyond the bound.
    dropped: u32,
}

/// Frames that were written together.
#[derive(Debug)]
struct Chunk {
    frames: u32,
    bytes: Bytes,
}

impl KeptFrames {
    /// Counts written frames, and keeps them up to the bound, if one is given. Beyond it the oldest
    /// are dropped: a client that lacks them cannot resume.
    pub(super) fn wrote(&mut self, frames: u32, bytes: Bytes, bytes_max: Option<usize>) {
        if frames == 0 {
            return;
        }
        self.written = self.written.wrapping_add(frames);
        let Some(bytes_max) = bytes_max else {
            self.dropped = self.written;
            return;
        };
        self.bytes += bytes.len();
        self.chunks.push_back(Chunk { frames, bytes });
        while self.bytes > bytes_max {
            self.drop_first();
        }
    }

    /// The client has the first `count` frames. Returns false if fewer were written.
    pub(super) fn acknowledge(&mut self, count: u32) -> bool {
        if self.written.wrapping_sub(count) > self.written.wrapping_sub(self.dropped) {
            // Either acknowledged before, or never written.
            return self.dropped.wrapping_sub(count) as i32 >= 0;
        }
        while let Some(first) = self.chunks.front()
            && count.wrapping_sub(self.dropped) >= first.frames
        {
            self.drop_first();
        }
        true
    }

    /// True if all frames after the first `count` are kept.
    pub(super) fn reaches(&self, count: u32) -> bool {
        self.written.wrapping_sub(count) <= self.written.wrapping_sub(self.dropped)
    }

    /// Removes all frames after the first `count`, as if they had never been written. Returns them
    /// and their number.
    pub(super) fn take_after(&mut self, count: u32) -> (Vec<u8>, u32) {
        self.acknowledge(count);
        let mut skipped = count.wrapping_sub(self.dropped);
        let mut bytes = Vec::with_capacity(self.bytes);
        for chunk in self.chunks.drain(..) {
            let mut rest = &chunk.bytes[..];
            while skipped > 0
                && let Some((length, _)) = rest.split_first_chunk::<FRAME_LENGTH_BYTES>()
            {
                rest = &rest[FRAME_LENGTH_BYTES + u32::from_le_bytes(*length) as usize..];
                skipped -= 1;
            }
            bytes.extend_from_slice(rest);
        }
        let again = self.written.wrapping_sub(count);
        (self.bytes, self.written, self.dropped) = (0, count, count);
        (bytes, again)
    }

    fn drop_first(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.bytes.len();
            self.dropped = self.dropped.wrapping_add(chunk.frames);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickwire_shared::control::{ServerFrame, write_frame};

    use super::*;

    /// Frames with these numbers.
    fn frames(numbers: std::ops::Range<u32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in numbers {
            write_frame(&ServerFrame::Notice(number.to_string()), &mut bytes);
        }
        bytes
    }

    fn write(kept: &mut KeptFrames, numbers: std::ops::Range<u32>, bytes_max: usize) {
        let count = numbers.end - numbers.start;
        kept.wrote(count, frames(numbers).into(), Some(bytes_max));
    }

    #[test]
    fn acknowledged_frames_are_dropped() {
        let mut kept = KeptFrames::default();
        write(&mut kept, 0..3, 1000);
        write(&mut kept, 3..5, 1000);
        assert!(kept.acknowledge(3));
        assert_eq!(kept.bytes, frames(3..5).len());
        assert!(kept.acknowledge(3) && kept.acknowledge(1), "an old word is no harm");
        assert!(!kept.acknowledge(6), "so many were never written");
        assert!(kept.reaches(5) && !kept.reaches(2) && !kept.reaches(6));
    }

    #[test]
    fn beyond_the_bound_the_oldest_go() {
        let mut kept = KeptFrames::default();
        let bytes_max = frames(0..4).len();
        for number in 0..10 {
            write(&mut kept, number..number + 1, bytes_max);
        }
        assert!(kept.bytes <= bytes_max);
        assert!(kept.reaches(6) && !kept.reaches(5));
    }

    #[test]
    fn a_client_that_does_not_resume_costs_nothing() {
        let mut kept = KeptFrames::default();
        kept.wrote(3, frames(0..3).into(), None);
        assert_eq!((kept.bytes, kept.reaches(2), kept.reaches(3)), (0, false, true));
    }

    proptest! {
        /// With any writes, acknowledgements and resumes, the client gets each frame once, in
        /// order.
        #[test]
        fn a_client_gets_each_frame_once(
            steps in proptest::collection::vec((0u32..5, 0u32..10, any::<bool>()), 1..40),
        ) {
            let mut kept = KeptFrames::default();
            // The frames that the client has, and those under way.
            let (mut has, mut way, mut next) = (0u32, Vec::<u8>::new(), 0u32);
            let mut waiting = Vec::new();
            for (count, arrives, is_lost) in steps {
                waiting.extend(frames(next..next + count));
                next += count;
                let written = std::mem::take(&mut waiting);
                let frames_written = count_of(&written);
                kept.wrote(frames_written, written.clone().into(), Some(1 << 20));
                way.extend(&written);
                for _ in 0..arrives.min(count_of(&way)) {
                    let expected = frames(has..has + 1);
                    prop_assert_eq!(&way[..expected.len()], &expected[..]);
                    way.drain(..expected.len());
                    has += 1;
                }
                prop_assert!(kept.acknowledge(has.saturating_sub(arrives / 2)));
                if is_lost {
                    way.clear();
                    prop_assert!(kept.reaches(has));
                    let (again, frames_again) = kept.take_after(has);
                    prop_assert_eq!(frames_again, count_of(&again));
                    waiting = again;
                }
            }
        }
    }

    fn count_of(mut bytes: &[u8]) -> u32 {
        let mut count = 0;
        while let Some((length, rest)) = bytes.split_first_chunk::<FRAME_LENGTH_BYTES>() {
            bytes = &rest[u32::from_le_bytes(*length) as usize..];
            count += 1;
        }
        count
    }
}
