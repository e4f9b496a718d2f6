//! Counting words, and carrying the counts in a message.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

/// How often each word occurs.
pub(crate) type Counts = HashMap<Vec<u8>, u64>;

/// Words are runs of letters, digits and non-ASCII bytes.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// Adds the words of `text`, in lower case.
pub(crate) fn count(text: &[u8], counts: &mut Counts) {
    let words = text.split(|byte| !is_word(*byte));
    for word in words.filter(|word| !word.is_empty()) {
        *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
    }
}

/// Adds the words of everything that can be read, byte by byte: to compare with.
pub(crate) fn count_plainly(source: impl BufRead, counts: &mut Counts) -> io::Result<()> {
    let mut word = Vec::new();
    let mut end = |word: &mut Vec<u8>| match counts.get_mut(word) {
        Some(count) => *count += 1,
        None if word.is_empty() => {}
        None => drop(counts.insert(word.clone(), 1)),
    };
    for byte in source.bytes() {
        match byte? {
            byte if is_word(byte) => word.push(byte.to_ascii_lowercase()),
            _ => {
                end(&mut word);
                word.clear();
            }
        }
    }
    end(&mut word);
    Ok(())
}

/// Cuts what it reads into chunks of about `size` bytes, never in the middle of a word.
pub(crate) struct Chunks<R> {
    source: R,
    size: usize,
    /// What was read behind the last chunk.
    rest: Vec<u8>,
}

impl<R: Read> Chunks<R> {
    pub(crate) fn new(source: R, size: usize) -> Self {
        let rest = Vec::new();
        Self { source, size, rest }
    }
}

impl<R: Read> Iterator for Chunks<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let begin = self.rest.len();
            let mut more = (&mut self.source).take(self.size as u64);
            match more.read_to_end(&mut self.rest) {
                Ok(0) if begin == 0 => return None,
                Ok(0) => return Some(Ok(std::mem::take(&mut self.rest))),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            let between = self.rest[begin..].iter().rposition(|byte| !is_word(*byte));
            if let Some(at) = between {
                let others = self.rest.split_off(begin + at + 1);
                return Some(Ok(std::mem::replace(&mut self.rest, others)));
            }
        }
    }
}

/// The counts as bytes: for each word its length, the word, its count.
pub(crate) fn encode(counts: &Counts) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (word, count) in counts {
        bytes.extend((word.len() as u32).to_le_bytes());
        bytes.extend(word);
        bytes.extend(count.to_le_bytes());
    }
    bytes
}

/// Adds what [`encode`] wrote; `None` if it did not write that.
pub(crate) fn merge(mut bytes: &[u8], counts: &mut Counts) -> Option<()> {
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (word, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        *counts.entry(word.to_vec()).or_default() += u64::from_le_bytes(*count);
        bytes = rest;
    }
    Some(())
}
