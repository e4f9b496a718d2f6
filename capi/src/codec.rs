//! Z85 texts, and CURVE keys.

use std::ffi::{c_char, c_int};

use ferrozmq::{CurveKeyPair, SecretKey, z85_decode, z85_encode};

use crate::abi::{BytesPlace, Done, TextPlace};
use crate::errno::Errno;

/// How many digits a key has.
const KEY_DIGITS: usize = 40;

/// Writes a text and a NUL, if there is a place.
fn write(place: &mut Out<c_char>, text: &str) -> Result<(), Errno> {
    let place = place.slice(text.len() + 1).ok_or(Errno::INVALID)?;
    for (place, digit) in place.iter_mut().zip(text.bytes().chain([0])) {
        *place = digit as c_char;
    }
    Ok(())
}

abi! {
    /// Encodes bytes, a multiple of four, as a text.
    fn zmq_z85_encode(text: Out<c_char>, bytes: In<u8>, len: usize) -> Result<TextPlace, Errno> {
        let encoded = z85_encode(bytes.slice(len).ok_or(Errno::INVALID)?)?;
        write(&mut text, &encoded)?;
        Ok(TextPlace(text.as_ptr()))
    }

    /// Decodes a text, of a multiple of five digits.
    fn zmq_z85_decode(bytes: Out<u8>, text: In<c_char>) -> Result<BytesPlace, Errno> {
        let text = text.text()?;
        if text.is_empty() {
            return Err(Errno::INVALID);
        }
        let decoded = z85_decode(text)?;
        let place = bytes.slice(decoded.len()).ok_or(Errno::INVALID)?;
        place.copy_from_slice(&decoded);
        Ok(BytesPlace(bytes.as_ptr()))
    }

    /// A new pair of keys for CURVE, as texts of 40 digits.
    fn zmq_curve_keypair(public: Out<c_char>, secret: Out<c_char>) -> Result<Done, Errno> {
        let pair = CurveKeyPair::new()?;
        write(&mut public, &pair.public_key.to_string())?;
        write(&mut secret, &pair.secret_key.to_z85())?;
        Ok(Done)
    }

    /// The public key that belongs to a secret one.
    fn zmq_curve_public(public: Out<c_char>, secret: In<c_char>) -> Result<Done, Errno> {
        let secret = secret.text()?;
        if secret.len() != KEY_DIGITS {
            return Err(Errno::INVALID);
        }
        let secret: SecretKey = secret.parse()?;
        write(&mut public, &secret.public_key().to_string())?;
        Ok(Done)
    }

    /// Whether the library can do something that not all builds can: 1 or 0.
    fn zmq_has(name: In<c_char>) -> c_int {
        let has = ["ipc", "curve", "draft"];
        let name = name.text().unwrap_or_default();
        has.contains(&name).into()
    }
}
