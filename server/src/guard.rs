//! Code of the game, whose panics end nothing but what they concern.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// Runs code that calls the game. `None` if it panicked: what the code changed is then in an unknown
/// state.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Option<T> {
    // The payload of a panic is the game's as well, and may panic again when it is dropped.
    catch_unwind(AssertUnwindSafe(code)).map_err(std::mem::forget).ok()
}

/// The same for code that waits: `start` makes its future.
pub(crate) async fn guarded_future<F>(start: impl FnOnce() -> Pin<Box<F>>) -> Option<F::Output>
where
    F: Future + ?Sized,
{
    let mut future = guarded(start)?;
    let done = poll_fn(|context| match guarded(|| future.as_mut().poll(context)) {
        Some(Poll::Pending) => Poll::Pending,
        Some(Poll::Ready(output)) => Poll::Ready(Some(output)),
        None => Poll::Ready(None),
    })
    .await;
    // Dropping what is left of it may panic as well.
    let _ = guarded(|| drop(future));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[test]
    fn a_panic_whose_payload_panics_ends_here() {
        assert_eq!(guarded(|| 3), Some(3));
        let failed = guarded(|| std::panic::panic_any(PanicsWhenDropped));
        assert_eq!(failed, None::<()>);
    }
}
