//! NaCl's boxes: X25519, XSalsa20 and Poly1305, none of which is our own.
//!
//! The first is dalek's, the others are dryoc's, which uses what vector instructions the processor
//! has. Keys are zeroised when dropped.

use std::fmt;

use dryoc::classic::crypto_box::{
    crypto_box_detached_afternm_inplace, crypto_box_open_detached_afternm_inplace,
};
use dryoc::classic::crypto_core::crypto_core_hsalsa20;
use dryoc::classic::crypto_secretbox::{crypto_secretbox_easy, crypto_secretbox_open_easy};
use zeroize::Zeroizing;

use crate::error::ProtocolError;
use crate::keys::{PublicKey, SecretKey};

/// What a box is longer than what is in it: the tag, which comes first.
pub(crate) const TAG_LEN: usize = 16;

type Key = Zeroizing<[u8; 32]>;

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, ProtocolError> {
    #[cfg(any(test, fuzzing))]
    if let Some(byte) = scripted::draw() {
        return Ok(Zeroizing::new([byte; N]));
    }
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|_| ProtocolError::Cryptographic)?;
    Ok(bytes)
}

/// Handshakes that come out the same each time, for known answers and for fuzzers: as long as a
/// [`Script`] lives, what its thread draws is all ones, then all twos, and so on.
///
/// [`Script`]: scripted::Script
#[cfg(any(test, fuzzing))]
pub(crate) mod scripted {
    use std::cell::Cell;

    thread_local! {
        static DRAWS: Cell<Option<u8>> = const { Cell::new(None) };
    }

    #[derive(Debug)]
    pub(crate) struct Script(());

    impl Script {
        pub(crate) fn begin() -> Self {
            DRAWS.set(Some(0));
            Self(())
        }
    }

    impl Drop for Script {
        fn drop(&mut self) {
            DRAWS.set(None);
        }
    }

    pub(super) fn draw() -> Option<u8> {
        DRAWS.set(DRAWS.get().map(|last| last.wrapping_add(1)));
        DRAWS.get()
    }
}

/// A key for boxes whose nonces are chosen one by one.
#[derive(Clone)]
pub(crate) struct BoxKey(Key);

impl BoxKey {
    /// The key that the owners of both key pairs share, and nobody else. Not to be had with a
    /// public key for which everybody knows it.
    pub(crate) fn agree(ours: &SecretKey, theirs: &PublicKey) -> Result<Self, ProtocolError> {
        let shared = ours.agree(theirs).ok_or(ProtocolError::Cryptographic)?;
        let mut key = Key::default();
        crypto_core_hsalsa20(&mut key, &[0; 16], &shared, None);
        Ok(Self(key))
    }

    /// A key that is shared with nobody.
    pub(crate) fn secret(key: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// The key for all nonces that begin like this.
    pub(crate) fn stream(&self, prefix: &[u8; 16]) -> StreamKey {
        StreamKey {
            key: self.clone(),
            prefix: *prefix,
        }
    }

    /// The box with this text: a tag and the encrypted text.
    pub(crate) fn seal(&self, nonce: &[u8; 24], text: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; TAG_LEN + text.len()];
        crypto_secretbox_easy(&mut sealed, text, nonce, &self.0)
            .expect("B1: there is room for the text and its tag");
        sealed
    }

    /// The text in a box.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 24],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProtocolError> {
        let mut text = Zeroizing::new(vec![0; sealed.len().saturating_sub(TAG_LEN)]);
        crypto_secretbox_open_easy(&mut text, sealed, nonce, &self.0)
            .map_err(|_| ProtocolError::Cryptographic)?;
        Ok(text)
    }
}

/// A key for boxes whose nonces differ in their last eight bytes only: a number, most significant
/// byte first.
pub(crate) struct StreamKey {
    key: BoxKey,
    prefix: [u8; 16],
}

impl StreamKey {
    /// Makes a box of the text that lies behind room for the tag.
    pub(crate) fn seal_in_place(&self, number: u64, text: &mut [u8]) {
        let (tag, text) = text
            .split_first_chunk_mut()
            .expect("B2: there is room for the tag");
        crypto_box_detached_afternm_inplace(text, tag, &self.nonce(number), &self.key.0);
    }

    /// Opens a box, unless somebody has touched it, into `text`, which is as long as the text.
    pub(crate) fn open(
        &self,
        number: u64,
        sealed: &[u8],
        text: &mut [u8],
    ) -> Result<(), ProtocolError> {
        crypto_secretbox_open_easy(text, sealed, &self.nonce(number), &self.key.0)
            .map_err(|_| ProtocolError::Cryptographic)
    }

    /// Opens a box where it lies, unless somebody has touched it; the text is behind the tag.
    pub(crate) fn open_in_place(
        &self,
        number: u64,
        sealed: &mut [u8],
    ) -> Result<(), ProtocolError> {
        let broken = ProtocolError::Cryptographic;
        let (tag, text) = sealed.split_first_chunk_mut().ok_or(broken)?;
        crypto_box_open_detached_afternm_inplace(text, tag, &self.nonce(number), &self.key.0)
            .map_err(|_| broken)
    }

    fn nonce(&self, number: u64) -> [u8; 24] {
        let mut nonce = [0; 24];
        nonce[..16].copy_from_slice(&self.prefix);
        nonce[16..].copy_from_slice(&number.to_be_bytes());
        nonce
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey(..)")
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(..)")
    }
}

#[cfg(test)]
mod tests;
