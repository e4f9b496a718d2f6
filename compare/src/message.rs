//! The messages of a run: [`Payload`] makes them, [`Tally`] checks and counts them.
//!
//! All messages of a run have one size, and begin with a sequence number; the two highest numbers
//! are the marks of warm-up and end. Nothing here knows an engine.

use crate::Result;

const SYNC: u64 = u64::MAX;
const END: u64 = u64::MAX - 1;

/// The bytes that hold the sequence number.
const HEAD: usize = 8;

/// What a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Warms a connection up.
    Sync,
    /// Is measured.
    Data,
    /// Says that no more data comes.
    End,
}

/// A sender's buffer, from which every message is built anew.
#[derive(Debug)]
pub(crate) struct Payload {
    buffer: Vec<u8>,
    next: u64,
}

impl Payload {
    /// A buffer for messages of `size` bytes, at least [`HEAD`].
    pub(crate) fn new(size: u32) -> Self {
        let size = size as usize;
        Self {
            buffer: (0..size.max(HEAD)).map(|n| n as u8).collect(),
            next: 0,
        }
    }

    /// The next message of data.
    #[inline]
    pub(crate) fn next(&mut self) -> &[u8] {
        let number = self.next;
        self.next += 1;
        self.numbered(number)
    }

    pub(crate) fn sync(&mut self) -> &[u8] {
        self.numbered(SYNC)
    }

    pub(crate) fn end(&mut self) -> &[u8] {
        self.numbered(END)
    }

    #[inline]
    fn numbered(&mut self, number: u64) -> &[u8] {
        self.buffer[..HEAD].copy_from_slice(&number.to_le_bytes());
        &self.buffer
    }
}

/// What a receiver got: how many messages of data, and the sum of their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl Tally {
    /// What `senders` that each send `each` messages give together.
    pub(crate) fn expected(senders: u64, each: u64) -> Self {
        // The product may be larger than 64 bits before it is halved.
        let sum = u128::from(each) * u128::from(each.saturating_sub(1)) / 2;
        Self {
            count: senders * each,
            sum: senders.wrapping_mul(sum as u64),
        }
    }

    /// Checks a message and counts it if it is data.
    #[inline]
    pub(crate) fn take(&mut self, body: &[u8], size: u32) -> Result<Kind> {
        if body.len() != size as usize {
            return Err(format!("a message of {} bytes instead of {size}", body.len()).into());
        }
        Ok(match number_of(body)? {
            SYNC => Kind::Sync,
            END => Kind::End,
            number => {
                self.count += 1;
                self.sum = self.sum.wrapping_add(number);
                Kind::Data
            }
        })
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum.wrapping_add(other.sum),
        }
    }
}

#[inline]
fn number_of(body: &[u8]) -> Result<u64> {
    let head = body.first_chunk::<HEAD>();
    Ok(u64::from_le_bytes(
        *head.ok_or("a message without a number")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_what_is_expected() {
        let (mut payload, mut tally) = (Payload::new(16), Tally::default());
        for _ in 0..5 {
            assert_eq!(tally.take(payload.next(), 16).unwrap(), Kind::Data);
        }
        assert_eq!(tally, Tally::expected(1, 5));
        assert_eq!(tally.plus(tally), Tally::expected(2, 5));
    }

    #[test]
    fn marks_are_not_counted() {
        let (mut payload, mut tally) = (Payload::new(8), Tally::default());
        assert_eq!(tally.take(payload.sync(), 8).unwrap(), Kind::Sync);
        assert_eq!(tally.take(payload.end(), 8).unwrap(), Kind::End);
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn a_message_of_another_size_is_an_error() {
        assert!(Tally::default().take(Payload::new(16).next(), 17).is_err());
        assert!(Tally::default().take(b"short", 5).is_err());
    }
}
