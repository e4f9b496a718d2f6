//! CURVE (RFC 25 and 26): encryption, and authentication by keys.
//!
//! Each connection has keys of its own, made for it and forgotten with it, so that who learns a
//! long-term key later cannot read what was said. HELLO and WELCOME exchange them, INITIATE shows
//! who the client is, READY ends the handshake, and a [`Cipher`] is left. Here are the layouts that
//! both sides share; each has a file of its own.
//!
//! [`Cipher`]: crate::zmtp::cipher::Cipher

mod client;
mod server;

pub(crate) use client::CurveClient;
pub(crate) use server::CurveServer;

use zeroize::Zeroizing;

use crate::error::ProtocolError;
use crate::keys::SecretKey;
use crate::zmtp::secretbox;

/// Lengths of commands; of INITIATE and READY without metadata.
const HELLO_LEN: usize = 200;
const WELCOME_LEN: usize = 168;
const INITIATE_LEN: usize = 257;
const READY_LEN: usize = 30;

const KEY_LEN: usize = 32;
const COOKIE_LEN: usize = 96;
const VOUCH_LEN: usize = 80;
/// The random part of a nonce.
const TAIL_LEN: usize = 16;
const SIGNATURE_LEN: usize = 64;

/// A nonce whose last part is a number.
fn short_nonce(prefix: &[u8; 16], number: u64) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..16].copy_from_slice(prefix);
    nonce[16..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// A nonce whose last part is random.
fn long_nonce(prefix: &[u8; 8], tail: &[u8; TAIL_LEN]) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(prefix);
    nonce[8..].copy_from_slice(tail);
    nonce
}

const HELLO_NONCE: &[u8; 16] = b"CurveZMQHELLO---";
const INITIATE_NONCE: &[u8; 16] = b"CurveZMQINITIATE";
const READY_NONCE: &[u8; 16] = b"CurveZMQREADY---";
const WELCOME_NONCE: &[u8; 8] = b"WELCOME-";
const COOKIE_NONCE: &[u8; 8] = b"COOKIE--";
const VOUCH_NONCE: &[u8; 8] = b"VOUCH---";

/// A key for one connection.
fn transient_key() -> Result<SecretKey, ProtocolError> {
    Ok(SecretKey::from(*secretbox::random()?))
}

/// Takes the fields of a command from its front, one by one.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next field. The length of the whole was checked before: what is not there is zeros,
    /// which open nothing.
    fn take<const N: usize>(&mut self) -> Zeroizing<[u8; N]> {
        let mut field = Zeroizing::new([0; N]);
        if let Some((taken, rest)) = self.0.split_first_chunk() {
            *field = *taken;
            self.0 = rest;
        }
        field
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes(*self.take())
    }
}
