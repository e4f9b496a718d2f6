//! XSalsa20 and Poly1305 of RustCrypto.
//!
//! They are put together here, and not taken as a whole, because XSalsa20 begins with a step that
//! depends on the key and two thirds of the nonce only. For CURVE's messages these never change, so
//! that it is done once per connection.

use std::ops::Range;

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use salsa20::Salsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Key, TAG_LEN, hsalsa};
use crate::error::ProtocolError;

/// Where the text begins in the key stream; before it is the key of the tag.
const TAG_KEY_LEN: usize = 32;

/// A key for boxes whose nonces differ in their last eight bytes only: a number, most significant
/// byte first.
pub(crate) struct StreamKey(Key);

impl StreamKey {
    pub(super) fn new(key: &[u8; 32], prefix: &[u8; 16]) -> Self {
        Self(hsalsa(key, prefix))
    }

    /// Makes a box of what `text` holds behind `at`.
    pub(crate) fn seal(&self, nonce: u64, text: &mut Vec<u8>, at: usize) {
        let end = text.len();
        text.resize(end + TAG_LEN, 0);
        text.copy_within(at..end, at + TAG_LEN);
        let (tag, text) = text[at..].split_at_mut(TAG_LEN);
        let (mut key_stream, authenticator) = self.start(nonce);
        key_stream.apply_keystream(text);
        tag.copy_from_slice(&authenticator.compute_unpadded(text));
    }

    /// Opens a box where it lies, unless somebody has touched it; returns where the text is.
    pub(crate) fn open(
        &self,
        nonce: u64,
        sealed: &mut [u8],
    ) -> Result<Range<usize>, ProtocolError> {
        let broken = ProtocolError::Cryptographic;
        let (tag, text) = sealed.split_at_mut_checked(TAG_LEN).ok_or(broken)?;
        let (mut key_stream, authenticator) = self.start(nonce);
        let expected = authenticator.compute_unpadded(text);
        if !bool::from(expected.as_slice().ct_eq(tag)) {
            return Err(broken);
        }
        key_stream.apply_keystream(text);
        Ok(TAG_LEN..sealed.len())
    }

    fn start(&self, nonce: u64) -> (Salsa20, Poly1305) {
        let mut key_stream = Salsa20::new((&*self.0).into(), &nonce.to_be_bytes().into());
        let mut tag_key = Zeroizing::new([0; TAG_KEY_LEN]);
        key_stream.apply_keystream(&mut *tag_key);
        (key_stream, Poly1305::new((&*tag_key).into()))
    }
}
