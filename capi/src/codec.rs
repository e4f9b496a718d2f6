//! Z85 texts, and CURVE keys.

use std::ffi::{c_char, c_int};

use crate::abi::{BytesPlace, Done, TextPlace};
use crate::errno::Errno;

/// RFC 32: the digits, in order of their values.
const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Five digits for each four bytes.
pub(crate) fn encode(bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    let groups = bytes.chunks(4).map(<[u8; 4]>::try_from);
    let mut text = Vec::with_capacity(bytes.len() / 4 * 5);
    for group in groups {
        let value = u32::from_be_bytes(group.map_err(|_| Errno::INVALID)?);
        let digit = |power: u32| DIGITS[(value / 85u32.pow(power) % 85) as usize];
        text.extend((0..5).rev().map(digit));
    }
    Ok(text)
}

/// Four bytes for each five digits.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, Errno> {
    if text.is_empty() || text.len() % 5 != 0 {
        return Err(Errno::INVALID);
    }
    let mut bytes = Vec::with_capacity(text.len() / 5 * 4);
    for group in text.chunks(5) {
        let value = group.iter().try_fold(0u64, |value, digit| {
            let digit = DIGITS.iter().position(|known| known == digit)?;
            Some(value * 85 + digit as u64)
        });
        let value = value.and_then(|value| u32::try_from(value).ok());
        bytes.extend(value.ok_or(Errno::INVALID)?.to_be_bytes());
    }
    Ok(bytes)
}

abi! {
    /// Encodes bytes, a multiple of four, as a text.
    fn zmq_z85_encode(text: Out<c_char>, bytes: In<u8>, len: usize) -> Result<TextPlace, Errno> {
        let encoded = encode(bytes.slice(len).ok_or(Errno::INVALID)?)?;
        let place = text.slice(encoded.len() + 1).ok_or(Errno::INVALID)?;
        for (place, digit) in place.iter_mut().zip(encoded.into_iter().chain([0])) {
            *place = digit as c_char;
        }
        Ok(TextPlace(text.as_ptr()))
    }

    /// Decodes a text, of a multiple of five digits.
    fn zmq_z85_decode(bytes: Out<u8>, text: In<c_char>) -> Result<BytesPlace, Errno> {
        let decoded = decode(text.c_str().ok_or(Errno::INVALID)?.to_bytes())?;
        let place = bytes.slice(decoded.len()).ok_or(Errno::INVALID)?;
        place.copy_from_slice(&decoded);
        Ok(BytesPlace(bytes.as_ptr()))
    }

    /// A new pair of keys for CURVE, as texts of 40 digits.
    fn zmq_curve_keypair(_public: Out<c_char>, _secret: Out<c_char>) -> Result<Done, Errno> {
        Err(Errno::NOT_SUPPORTED)
    }

    /// The public key that belongs to a secret one.
    fn zmq_curve_public(_public: Out<c_char>, _secret: In<c_char>) -> Result<Done, Errno> {
        Err(Errno::NOT_SUPPORTED)
    }

    /// Whether the library can do something that not all builds can: 1 or 0.
    fn zmq_has(name: In<c_char>) -> c_int {
        let has = ["ipc"];
        let name = name.text().unwrap_or_default();
        has.contains(&name).into()
    }
}
