//! Counting words, and carrying the counts in a message.

use std::collections::HashMap;

/// How often each word occurs.
pub(crate) type Counts = HashMap<Vec<u8>, u64>;

/// Adds the words of `text`: runs of letters, digits and non-ASCII bytes, in lower case.
pub(crate) fn count(text: &[u8], counts: &mut Counts) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    for word in text
        .split(|byte| !is_word(byte))
        .filter(|word| !word.is_empty())
    {
        let word = word.to_ascii_lowercase();
        *counts.entry(word).or_default() += 1;
    }
}

/// The size of the first chunk of `text`: at most `size`, unless a single word is longer, and
/// never in the middle of a word.
pub(crate) fn chunk_len(text: &[u8], size: usize) -> usize {
    if text.len() <= size {
        return text.len();
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let before = text[..size].iter().rposition(is_space);
    let after = || text[size..].iter().position(is_space).map(|at| size + at);
    before.or_else(after).map_or(text.len(), |at| at + 1)
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
