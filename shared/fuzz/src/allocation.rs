//! Holds the rule that bytes from a peer never make a decoder allocate more than a small multiple
//! of their own length.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes a decoder may hold at once beyond the multiple, for its tables.
const FREE_BYTES: usize = 16 * 1024;

thread_local! {
    /// Live bytes of this thread, and the most there were.
    static LIVE: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// Runs a decoder on `input_bytes` of a peer.
///
/// # Panics
/// If it holds more than `multiple` times the input at once.
pub fn bounded<R>(input_bytes: usize, multiple: usize, decode: impl FnOnce() -> R) -> R {
    let before = LIVE.get().0;
    LIVE.set((before, before));
    let result = decode();
    let peak = usize::try_from(LIVE.get().1 - before).unwrap_or(0);
    let allowed = FREE_BYTES + multiple * input_bytes;
    assert!(peak <= allowed, "{input_bytes} bytes made {peak} bytes, {allowed} are allowed");
    result
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old and the new block may both be held for a moment.
        count(size as isize);
        count(-(layout.size() as isize));
        unsafe { System.realloc(at, layout, size) }
    }
}

fn count(bytes: isize) {
    // A thread that ends has no counter any more, and decodes nothing either.
    let _ = LIVE.try_with(|live| {
        let (now, peak) = live.get();
        let now = now + bytes;
        live.set((now, peak.max(now)));
    });
}
