//! [`Batch`]: the bytes that an engine has for the peer and that are not written yet.
//!
//! It owns them in order: one run of bytes with heads and small bodies, and between them large
//! bodies in their own memory, which are never copied. It knows nothing of any protocol.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use crate::engine::Frames;
use crate::msg::{COPY_MAX, Msg};

/// What a batch keeps of its memory when it is idle.
const IDLE_CAPACITY: usize = 8 * 1024;

/// A large body in a [`Batch`].
#[derive(Debug)]
struct LargeBody {
    msg: Msg,
    /// Where it stands: in front of this byte of the batch.
    at: usize,
}

/// What is to be sent: one run of bytes with heads and small bodies, and between them the large
/// bodies in their own memory.
///
/// Invariant: `sent <= at <= bytes.len()` for each large body, in rising order; `body_sent` is
/// less than the first one's length, and 0 if there is none.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    bodies: VecDeque<LargeBody>,
    /// How many of `bytes` are sent.
    sent: usize,
    /// How many bytes of the first large body are sent.
    body_sent: usize,
    /// How many bytes of large bodies are not sent.
    bodies_pending: usize,
}

impl Batch {
    /// Adds a body; a small one is copied.
    pub fn push_body(&mut self, body: Msg) {
        if body.len() <= COPY_MAX {
            self.bytes.extend_from_slice(&body);
        } else {
            self.keep(body);
        }
    }

    fn keep(&mut self, msg: Msg) {
        self.bodies_pending += msg.len();
        let at = self.bytes.len();
        self.bodies.push_back(LargeBody { msg, at });
    }

    /// Adds frames that are in the form of the wire already.
    pub(crate) fn push_run(&mut self, run: Frames<'_>) {
        match run {
            Frames::Copy(bytes) => self.bytes.extend_from_slice(bytes),
            Frames::Keep(bytes) => self.keep(bytes.into()),
        }
    }

    /// The batch for writing bytes to its end.
    pub fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many bytes are not sent.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.sent + self.bodies_pending
    }

    /// Shows the bytes to be sent; returns how many of the slices were filled in.
    pub fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = slices.iter_mut().zip(self.parts());
        parts
            .map(|(slice, part)| *slice = IoSlice::new(part))
            .count()
    }

    /// The first `n` bytes of what was shown have been sent.
    pub fn handle_sent(&mut self, n: usize) {
        debug_assert!(n <= self.pending(), "more was sent than there is");
        let mut n = n.min(self.pending());
        while n > 0 {
            n -= self.advance_bytes(n);
            n -= self.advance_body(n);
        }
        self.forget_sent();
    }

    /// Gives back what an idle batch does not need.
    pub fn shrink(&mut self) {
        if self.pending() == 0 {
            if self.bytes.capacity() > IDLE_CAPACITY {
                // Not by making it smaller: allocators keep what is given back for the next time, but
                // return the rest of what is made smaller to the system.
                self.bytes = Vec::new();
            }
            self.bodies.shrink_to(0);
        }
    }

    /// All that is to be sent, in order, as slices that are not empty.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = self.sent;
        let mut body_from = self.body_sent;
        let last = self.bodies.back().map_or(self.sent, |body| body.at);
        self.bodies
            .iter()
            .flat_map(move |body| {
                let before = &self.bytes[mem::replace(&mut from, body.at)..body.at];
                [before, &body.msg[mem::take(&mut body_from)..]]
            })
            .chain([&self.bytes[last..]])
            .filter(|part| !part.is_empty())
    }

    /// Moves over at most `n` bytes in front of the first large body; returns over how many.
    fn advance_bytes(&mut self, n: usize) -> usize {
        let end = self.bodies.front().map_or(self.bytes.len(), |body| body.at);
        let step = n.min(end - self.sent);
        self.sent += step;
        step
    }

    /// Moves over at most `n` bytes of the first large body, and drops it at its end.
    fn advance_body(&mut self, n: usize) -> usize {
        let len = self.bodies.front().map_or(0, |body| body.msg.len());
        let step = n.min(len - self.body_sent);
        self.body_sent += step;
        self.bodies_pending -= step;
        if self.body_sent == len {
            self.bodies.pop_front();
            self.body_sent = 0;
        }
        step
    }

    /// Takes what is sent out of `bytes`, once that is more than is left to be moved.
    fn forget_sent(&mut self) {
        if self.sent * 2 <= self.bytes.len() {
            return;
        }
        self.bytes.drain(..self.sent);
        for body in &mut self.bodies {
            body.at -= self.sent;
        }
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends everything, `step` bytes at a time.
    fn take_all(batch: &mut Batch, step: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while batch.pending() > 0 {
            let mut slices = [IoSlice::new(&[]); 4];
            let n = batch.poll_transmit(&mut slices);
            let shown = slices[..n].iter().flat_map(|slice| slice.iter().copied());
            let before = taken.len();
            taken.extend(shown.take(step));
            batch.handle_sent(taken.len() - before);
        }
        taken
    }

    #[test]
    fn bytes_and_bodies_go_out_in_order_however_much_is_written_at_once() {
        let large = Msg::from(vec![7; COPY_MAX + 1]);
        let mut expected = b"head".to_vec();
        expected.extend_from_slice(&large);
        expected.extend_from_slice(b"smalltail");
        for step in [1, 2, 3, 1000, usize::MAX] {
            let mut batch = Batch::default();
            batch.raw().extend_from_slice(b"head");
            batch.push_body(large.clone());
            batch.push_body("small".into());
            batch.raw().extend_from_slice(b"tail");
            assert_eq!(take_all(&mut batch, step), expected);
        }
    }

    #[test]
    fn a_batch_forgets_what_was_sent() {
        let mut batch = Batch::default();
        for _ in 0..1000 {
            batch.push_body(Msg::zeroed(1000));
            batch.push_body(Msg::zeroed(COPY_MAX + 1));
            batch.handle_sent(batch.pending() - 10);
        }
        assert!(batch.bytes.capacity() < 16 * 1024);
        assert!(batch.bodies.capacity() < 16);
    }

    #[test]
    fn an_idle_batch_gives_its_memory_back() {
        let mut batch = Batch::default();
        for _ in 0..100 {
            batch.push_body(Msg::zeroed(1000));
        }
        batch.shrink();
        assert_eq!(take_all(&mut batch, usize::MAX).len(), 100 * 1000);
        batch.shrink();
        assert!(batch.bytes.capacity() <= IDLE_CAPACITY);
    }
}
