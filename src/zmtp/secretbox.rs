//! NaCl's boxes: X25519, XSalsa20 and Poly1305, none of which is our own.
//!
//! Which implementation of XSalsa20 and Poly1305 is used is chosen when the library is compiled:
//! that of RustCrypto, or with the feature `fast-boxes` that of dryoc. Both encrypt and decrypt
//! where the text lies. Keys are zeroised when dropped.

#[cfg(feature = "fast-boxes")]
#[path = "secretbox/dryoc.rs"]
mod cipher;
#[cfg(not(feature = "fast-boxes"))]
#[path = "secretbox/rustcrypto.rs"]
mod cipher;

use salsa20::cipher::consts::U10;
use zeroize::Zeroizing;

pub(crate) use cipher::StreamKey;

use crate::error::ProtocolError;
use crate::keys::{PublicKey, SecretKey};

/// What a box is longer than what is in it.
pub(crate) const TAG_LEN: usize = 16;

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
        StreamKey::new(&self.0, prefix)
    }

    /// The box with this text: a tag and the encrypted text.
    pub(crate) fn seal(&self, nonce: &[u8; 24], text: &[u8]) -> Vec<u8> {
        let (stream, tail) = self.split(nonce);
        // With room for the tag, so that no copy of the text is left behind by growing.
        let mut sealed = Vec::with_capacity(text.len() + TAG_LEN);
        sealed.extend_from_slice(text);
        stream.seal(tail, &mut sealed, 0);
        sealed
    }

    /// The text in a box.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 24],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProtocolError> {
        let (stream, tail) = self.split(nonce);
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let text = stream.open(tail, &mut sealed)?;
        Ok(Zeroizing::new(sealed[text].to_vec()))
    }

    fn split(&self, nonce: &[u8; 24]) -> (StreamKey, u64) {
        let (mut prefix, mut tail) = ([0; 16], [0; 8]);
        prefix.copy_from_slice(&nonce[..16]);
        tail.copy_from_slice(&nonce[16..]);
        (self.stream(&prefix), u64::from_be_bytes(tail))
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

#[cfg(test)]
mod tests;
