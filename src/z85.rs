//! Z85 (RFC 32): binary as text that survives source code, command lines and configuration files.
//!
//! Four bytes are five characters. Only bytes to text and back; nothing here is secret or timed.

use crate::error::{Error, Result};

const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Encodes bytes as Z85 text (`zmq_z85_encode`).
///
/// ```
/// let text = ferrozmq::z85_encode(&[0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B])?;
/// assert_eq!(text, "HelloWorld");
/// assert_eq!(ferrozmq::z85_decode(&text)?.len(), 8);
/// # Ok::<(), ferrozmq::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] unless the number of bytes is a multiple of four.
pub fn z85_encode(bytes: &[u8]) -> Result<String> {
    if !bytes.len().is_multiple_of(4) {
        return Err(Error::InvalidArgument("Z85 takes four bytes at a time"));
    }
    let digits = bytes.chunks_exact(4).flat_map(|group| {
        let value = group
            .iter()
            .fold(0, |value, byte| value << 8 | u32::from(*byte));
        [85 * 85 * 85 * 85, 85 * 85 * 85, 85 * 85, 85, 1].map(|weight| value / weight % 85)
    });
    Ok(digits
        .map(|digit| char::from(DIGITS[digit as usize]))
        .collect())
}

/// Decodes Z85 text (`zmq_z85_decode`).
///
/// # Errors
/// [`Error::InvalidArgument`] unless the text is groups of five of Z85's characters, each of a
/// value that four bytes can have.
pub fn z85_decode(text: &str) -> Result<Vec<u8>> {
    if !text.len().is_multiple_of(5) {
        return Err(Error::InvalidArgument(
            "Z85 text has five characters at a time",
        ));
    }
    let groups = text.as_bytes().chunks_exact(5);
    let values: Option<Vec<_>> = groups.map(decode_group).collect();
    let values = values.ok_or(Error::InvalidArgument("this is not Z85 text"))?;
    Ok(values.concat())
}

fn decode_group(group: &[u8]) -> Option<[u8; 4]> {
    let mut value: u32 = 0;
    for character in group {
        let digit = DIGITS.iter().position(|digit| digit == character)?;
        value = value
            .checked_mul(85)?
            .checked_add(u32::try_from(digit).ok()?)?;
    }
    Some(value.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_is_not_z85_is_refused() {
        for text in [
            "1", "1234", "123456", "12\"45", "1234 ", "#####", "%nSc1", "ééé",
        ] {
            assert!(z85_decode(text).is_err(), "{text}");
        }
        assert_eq!(z85_decode("%nSc0").unwrap(), [0xFF; 4], "the largest value");
        assert!(z85_decode("").unwrap().is_empty());
        assert!(z85_encode(&[1, 2, 3]).is_err());
    }

    proptest! {
        #[test]
        fn bytes_come_back(groups in proptest::collection::vec(any::<[u8; 4]>(), 0..12)) {
            let bytes = groups.concat();
            let text = z85_encode(&bytes).unwrap();
            prop_assert_eq!(text.len() * 4, bytes.len() * 5);
            prop_assert_eq!(z85_decode(&text).unwrap(), bytes);
        }
    }
}
