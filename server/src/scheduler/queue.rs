//! A bounded queue that never blocks and allocates memory only for its items.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_queue::SegQueue;

/// First in, first out, for any number of threads on both sides. No locks: the simulation threads
/// must never wait for a network thread.
#[derive(Debug)]
pub(crate) struct BoundedQueue<T> {
    items: SegQueue<T>,
    /// Items in the queue or about to be: never fewer than `items` holds.
    reserved: AtomicUsize,
    items_max: usize,
}

impl<T> BoundedQueue<T> {
    pub(crate) fn new(items_max: usize) -> Self {
        BoundedQueue { items: SegQueue::new(), reserved: AtomicUsize::new(0), items_max }
    }

    /// Puts `item` at the end, or returns it if the queue is full.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if self.reserved.fetch_add(1, Ordering::Relaxed) >= self.items_max {
            self.reserved.fetch_sub(1, Ordering::Relaxed);
            return Err(item);
        }
        self.items.push(item);
        Ok(())
    }

    /// Takes the first item.
    pub(crate) fn pop(&self) -> Option<T> {
        let item = self.items.pop()?;
        self.reserved.fetch_sub(1, Ordering::Relaxed);
        Some(item)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes the current items, without those added meanwhile.
    pub(crate) fn drain(&self) -> impl Iterator<Item = T> + '_ {
        let count = self.items.len();
        std::iter::from_fn(|| self.pop()).take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::BoundedQueue;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = BoundedQueue::new(2);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.push(3), Err(3));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.push(4), Ok(()));
        assert_eq!(queue.drain().collect::<Vec<_>>(), [2, 4]);
        assert_eq!(queue.pop(), None);
    }
}
