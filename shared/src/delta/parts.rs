//! Fields of parts: those that are optional, arrays, and texts.
//!
//! ```text
//! whole   1 bit   it has a value, if it is optional; nothing follows if not
//!         each value: each lane in its own number of bits; of a text: its length as its lane, then 8 bits for each byte
//!
//! delta   once its bit says that it differs:
//!         1 bit   it has a value, if it is optional; nothing follows if not
//!         each value: 1 bit, it differs, if it is an array; if set, each lane's residual; of a text: as in whole
//! ```
//!
//! Without a value the lanes after the first are as near to zero as their ranges allow, and a residual after it is
//! against those.

use std::ops::Range;

use super::LaneTable;
use crate::bits::{BitError, BitStream};
use crate::lane_layout::{Baseline, GroupParts, Lane};
use crate::lane_stream::LaneStream;
use crate::text::{TEXT_BYTES_MAX, is_control};

/// The lanes of a field, and how they are split.
type FieldParts = (Range<usize>, GroupParts);

/// Out of the way of the fields of one value, which are most: it is not inlined into theirs.
impl LaneTable {
    #[cold]
    #[inline(never)]
    pub(super) fn whole_parts<S: BitStream>(
        &self,
        stream: &mut S,
        (mut range, parts): FieldParts,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        if parts.optional {
            let mut has_value = lanes[range.start] == 1;
            stream.flag(&mut has_value)?;
            if !self.value_follows(has_value, S::READING, &mut range, lanes) {
                return Ok(());
            }
        }
        for start in range.step_by(parts.width) {
            let value = start..start + parts.width;
            let layout = &self.layout.lanes[value.clone()];
            if parts.is_text {
                let mut bits = |value: &mut u32, count| stream.bits(value, count);
                text(&mut bits, S::READING, layout, &mut lanes[value])?;
                continue;
            }
            for (lane, value) in layout.iter().zip(&mut lanes[value]) {
                lane.plain(stream, value)?;
            }
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    pub(super) fn delta_parts<R: LaneStream>(
        &self,
        run: &mut R,
        (mut range, parts): FieldParts,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        if parts.optional {
            let mut has_value = lanes[range.start] == 1;
            run.flag(&mut has_value);
            if !self.value_follows(has_value, R::READING, &mut range, lanes) {
                return Ok(());
            }
        }
        for start in range.step_by(parts.width) {
            let value = start..start + parts.width;
            let mut differs = lanes[value.clone()] != baseline.lanes[value.clone()];
            if parts.is_array {
                run.flag(&mut differs);
                // A value that is read is that of the baseline until then.
                if !differs {
                    continue;
                }
            }
            if parts.is_text {
                let mut bits = |value: &mut u32, count| {
                    run.bits(value, count);
                    Ok(())
                };
                let layout = &self.layout.lanes[value.clone()];
                text(&mut bits, R::READING, layout, &mut lanes[value])?;
                continue;
            }
            for at in value {
                self.layout.lanes[at].residual(run, baseline.lanes[at], &mut lanes[at])?;
            }
        }
        Ok(())
    }

    /// Whether the lanes after the first of an optional field follow, to which `range` is cut. Those that do not are
    /// zeros.
    fn value_follows(
        &self,
        has_value: bool,
        is_reading: bool,
        range: &mut Range<usize>,
        lanes: &mut [i32],
    ) -> bool {
        let first = range.start;
        range.start += 1;
        if is_reading {
            lanes[first] = i32::from(has_value);
            if !has_value {
                lanes[range.clone()].copy_from_slice(&self.layout.zeros[range.clone()]);
            }
        }
        has_value
    }
}

/// The lanes of a text: its length, and as many bytes.
///
/// # Errors
/// As those of `bits`; [`BitError::Invalid`] when reading what is longer than it may be, is no UTF-8, or has a control
/// character.
fn text(
    bits: &mut impl FnMut(&mut u32, u32) -> Result<(), BitError>,
    is_reading: bool,
    layout: &[Lane],
    lanes: &mut [i32],
) -> Result<(), BitError> {
    let (length_lane, words) = lanes.split_at_mut(1);
    let mut length = length_lane[0].cast_unsigned().min(layout[0].span);
    bits(&mut length, layout[0].bits)?;
    if length > layout[0].span {
        return Err(BitError::Invalid);
    }
    let mut bytes = [0; TEXT_BYTES_MAX];
    for (at, (word, bytes)) in words.iter_mut().zip(bytes.chunks_exact_mut(4)).enumerate() {
        let here = length.saturating_sub(4 * at as u32).min(4);
        let mut value = if is_reading { 0 } else { word.cast_unsigned() };
        bits(&mut value, 8 * here)?;
        if is_reading {
            *word = value.cast_signed();
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }
    if is_reading {
        length_lane[0] = length as i32;
        let text = std::str::from_utf8(&bytes[..length as usize]).map_err(|_| BitError::Invalid)?;
        if text.chars().any(is_control) {
            return Err(BitError::Invalid);
        }
    }
    Ok(())
}
