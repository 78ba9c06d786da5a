//! Slots with news for a client, before they are coded.

use super::priority::Priority;

/// The assumed size of a record before any was seen, in bits.
const MEAN_BITS: usize = 48;

/// A slot with news. The least candidate is the first to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate(u64);

impl Candidate {
    pub(super) fn new(priority: Priority, slot: u16, is_marked: bool) -> Self {
        let last_is_most = u64::from(Priority::FIRST_OF_ALL.0 - priority.0);
        Candidate(last_is_most << 17 | u64::from(slot) << 1 | u64::from(is_marked))
    }

    pub(super) fn slot(self) -> u16 {
        (self.0 >> 1) as u16
    }

    pub(super) fn priority(self) -> Priority {
        Priority(Priority::FIRST_OF_ALL.0 - (self.0 >> 17) as u32)
    }

    /// True if it is coded against the shared baseline.
    pub(super) fn is_marked(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The mean size of a client's records.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeanBits(usize);

impl Default for MeanBits {
    fn default() -> Self {
        MeanBits(MEAN_BITS * MeanBits::UNITS)
    }
}

impl MeanBits {
    const UNITS: usize = 16;

    /// The number of records that should take `bits`, or a little more.
    pub(super) fn records_in(self, bits: usize) -> usize {
        bits * MeanBits::UNITS * 9 / 8 / self.0 + 4
    }

    pub(super) fn learn(&mut self, records: usize, bits: usize) {
        if let Some(mean) = (bits * MeanBits::UNITS).checked_div(records) {
            self.0 = (3 * self.0 + mean).div_ceil(4).max(MeanBits::UNITS);
        }
    }
}

/// Removes the `count` first candidates from `listed` and hands them to `each`, in their order in
/// the list.
pub(super) fn take_first(
    listed: &mut Vec<Candidate>,
    keys: &mut Vec<Candidate>,
    count: usize,
    mut each: impl FnMut(Candidate),
) {
    if count >= listed.len() {
        return listed.drain(..).for_each(each);
    }
    if count == 0 {
        return;
    }
    keys.clone_from(listed);
    let (_, &mut last, _) = keys.select_nth_unstable(count - 1);
    listed.retain(|&candidate| {
        let is_first = candidate <= last;
        if is_first {
            each(candidate);
        }
        !is_first
    });
}
