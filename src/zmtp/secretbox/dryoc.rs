//! XSalsa20 and Poly1305 of dryoc, which uses what vector instructions the processor has.

use std::ops::Range;

use dryoc::classic::crypto_secretbox::{
    crypto_secretbox_easy_inplace, crypto_secretbox_open_easy_inplace,
};
use zeroize::Zeroizing;

use super::{Key, TAG_LEN};
use crate::error::ProtocolError;

/// A key for boxes whose nonces differ in their last eight bytes only: a number, most significant
/// byte first.
pub(crate) struct StreamKey {
    key: Key,
    prefix: [u8; 16],
}

impl StreamKey {
    pub(super) fn new(key: &[u8; 32], prefix: &[u8; 16]) -> Self {
        Self {
            key: Zeroizing::new(*key),
            prefix: *prefix,
        }
    }

    /// Makes a box of what `text` holds behind `at`.
    pub(crate) fn seal(&self, nonce: u64, text: &mut Vec<u8>, at: usize) {
        text.resize(text.len() + TAG_LEN, 0);
        let sealed = crypto_secretbox_easy_inplace(&mut text[at..], &self.nonce(nonce), &self.key);
        sealed.expect("B1: there is room for the tag");
    }

    /// Opens a box where it lies, unless somebody has touched it; returns where the text is.
    pub(crate) fn open(
        &self,
        nonce: u64,
        sealed: &mut [u8],
    ) -> Result<Range<usize>, ProtocolError> {
        crypto_secretbox_open_easy_inplace(sealed, &self.nonce(nonce), &self.key)
            .map_err(|_| ProtocolError::Cryptographic)?;
        Ok(0..sealed.len() - TAG_LEN)
    }

    fn nonce(&self, number: u64) -> [u8; 24] {
        let mut nonce = [0; 24];
        nonce[..16].copy_from_slice(&self.prefix);
        nonce[16..].copy_from_slice(&number.to_be_bytes());
        nonce
    }
}
