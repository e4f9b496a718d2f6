//! NaCl's boxes, put together from the primitives of RustCrypto and dalek: X25519, XSalsa20 and
//! Poly1305.
//!
//! The parts are put together here, and not taken as a whole, because of two things that a whole
//! does not offer: XSalsa20 begins with a step that depends on the key and two thirds of the nonce
//! only, which for CURVE's messages never change, so that it is done once per connection; and the
//! text can be encrypted and decrypted where it lies. Keys are zeroised when dropped.

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use salsa20::Salsa20;
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::ProtocolError;
use crate::keys::{PublicKey, SecretKey};

/// What a box is longer than what is in it.
pub(crate) const TAG_LEN: usize = 16;

/// Where the text begins in the key stream; before it is the key of the tag.
const TAG_KEY_LEN: usize = 32;

type Key = Zeroizing<[u8; 32]>;

fn hsalsa(key: &[u8; 32], input: &[u8; 16]) -> Key {
    Zeroizing::new(salsa20::hsalsa::<U10>(key.into(), input.into()).into())
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, ProtocolError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|_| ProtocolError::Cryptographic)?;
    Ok(bytes)
}

/// A key for boxes whose nonces are chosen one by one.
pub(crate) struct BoxKey(Key);

impl BoxKey {
    /// The key that the owners of both key pairs share, and nobody else. Not to be had with a
    /// public key for which everybody knows it.
    pub(crate) fn agree(ours: &SecretKey, theirs: &PublicKey) -> Result<Self, ProtocolError> {
        let shared = ours.agree(theirs).ok_or(ProtocolError::Cryptographic)?;
        Ok(Self(hsalsa(&shared, &[0; 16])))
    }

    /// A key that is shared with nobody.
    pub(crate) fn secret(key: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// The key for all nonces that begin like this.
    pub(crate) fn stream(&self, prefix: &[u8; 16]) -> StreamKey {
        StreamKey(hsalsa(&self.0, prefix))
    }

    /// The box with this text: a tag and the encrypted text.
    pub(crate) fn seal(&self, nonce: &[u8; 24], text: &[u8]) -> Vec<u8> {
        let (stream, tail) = self.split(nonce);
        let mut sealed = [&[0; TAG_LEN], text].concat();
        stream.seal_in_place(tail, &mut sealed);
        sealed
    }

    /// The text in a box.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 24],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProtocolError> {
        let (stream, tail) = self.split(nonce);
        let mut key_stream = stream.verify(tail, sealed)?;
        let mut text = Zeroizing::new(sealed[TAG_LEN..].to_vec());
        key_stream.apply(&mut text);
        Ok(text)
    }

    fn split(&self, nonce: &[u8; 24]) -> (StreamKey, u64) {
        let (mut prefix, mut tail) = ([0; 16], [0; 8]);
        prefix.copy_from_slice(&nonce[..16]);
        tail.copy_from_slice(&nonce[16..]);
        (self.stream(&prefix), u64::from_be_bytes(tail))
    }
}

/// A key for boxes whose nonces differ in their last eight bytes only: a number, most significant
/// byte first.
pub(crate) struct StreamKey(Key);

impl StreamKey {
    /// Encrypts what lies behind the tag's place, and puts the tag into it.
    ///
    /// # Panics
    /// If there is no place for a tag.
    pub(crate) fn seal_in_place(&self, nonce: u64, place_and_text: &mut [u8]) {
        let (mut key_stream, authenticator) = self.start(nonce);
        let (tag, text) = place_and_text.split_at_mut(TAG_LEN);
        key_stream.apply(text);
        tag.copy_from_slice(&authenticator.compute_unpadded(text));
    }

    /// Whether nobody has touched the box; then what it was encrypted with.
    pub(crate) fn verify(&self, nonce: u64, sealed: &[u8]) -> Result<KeyStream, ProtocolError> {
        let broken = ProtocolError::Cryptographic;
        let (tag, text) = sealed.split_at_checked(TAG_LEN).ok_or(broken)?;
        let (key_stream, authenticator) = self.start(nonce);
        let expected = authenticator.compute_unpadded(text);
        if bool::from(expected.as_slice().ct_eq(tag)) {
            Ok(key_stream)
        } else {
            Err(broken)
        }
    }

    fn start(&self, nonce: u64) -> (KeyStream, Poly1305) {
        let mut cipher = Salsa20::new((&*self.0).into(), &nonce.to_be_bytes().into());
        let mut tag_key = Zeroizing::new([0; TAG_KEY_LEN]);
        cipher.apply_keystream(&mut *tag_key);
        (KeyStream(cipher), Poly1305::new((&*tag_key).into()))
    }
}

/// What a text is encrypted and decrypted with, from its first byte to its last.
pub(crate) struct KeyStream(Salsa20);

impl KeyStream {
    /// Encrypts or decrypts the next bytes.
    pub(crate) fn apply(&mut self, text: &mut [u8]) {
        self.0.apply_keystream(text);
    }
}

impl std::fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoxKey(..)")
    }
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamKey(..)")
    }
}

impl std::fmt::Debug for KeyStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyStream(..)")
    }
}

#[cfg(test)]
mod tests;
