//! Keys of CURVE: [`PublicKey`], [`SecretKey`] and [`CurveKeyPair`], with their text forms.
//!
//! A secret key is zeroised when it is dropped, compared in constant time, and never printed.
//! Nothing here encrypts.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::z85::{z85_decode, z85_encode};

const KEY_LEN: usize = 32;

/// The public half of a CURVE key pair: 32 bytes, or 40 characters of Z85 text.
///
/// It may be known to everybody; whoever knows a server's can talk to that server.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; KEY_LEN]);

impl PublicKey {
    /// The key's 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// A key in any of the forms that an option takes: 32 bytes, or Z85 text with or without the
    /// NUL of C.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else.
    pub(crate) fn parse(key: &[u8]) -> Result<Self> {
        parse(key).map(|bytes| Self(*bytes))
    }
}

impl From<[u8; KEY_LEN]> for PublicKey {
    fn from(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for PublicKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    /// Reads Z85 text.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless it is 40 characters of Z85.
    fn from_str(text: &str) -> Result<Self> {
        from_z85(text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Display for PublicKey {
    /// The key as Z85 text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_z85(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// The secret half of a CURVE key pair: 32 bytes, or 40 characters of Z85 text.
///
/// Overwritten with zeros when dropped, compared in constant time, and never printed by `Debug`.
#[derive(Clone)]
pub struct SecretKey(StaticSecret);

impl SecretKey {
    /// The public key that belongs to this secret one (`zmq_curve_public`).
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(x25519_dalek::PublicKey::from(&self.0).to_bytes())
    }

    /// The key's 32 bytes. Whoever knows them can pass for the key's owner.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        self.0.as_bytes()
    }

    /// The key as Z85 text, to be stored where nobody else can read it.
    #[must_use]
    pub fn to_z85(&self) -> Zeroizing<String> {
        Zeroizing::new(to_z85(self.as_bytes()))
    }

    /// As [`PublicKey::parse`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else.
    pub(crate) fn parse(key: &[u8]) -> Result<Self> {
        parse(key).map(|bytes| Self::from(*bytes))
    }

    /// The secret that the owners of this key and of `other`'s secret key share; `None` if
    /// `other` is one of the few points for which it would be no secret.
    pub(crate) fn agree(&self, other: &PublicKey) -> Option<Zeroizing<[u8; KEY_LEN]>> {
        let shared = self.0.diffie_hellman(&other.0.into());
        let bytes = Zeroizing::new(shared.to_bytes());
        shared.was_contributory().then_some(bytes)
    }
}

impl From<[u8; KEY_LEN]> for SecretKey {
    fn from(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes.into())
    }
}

impl FromStr for SecretKey {
    type Err = Error;

    /// Reads Z85 text.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless it is 40 characters of Z85.
    fn from_str(text: &str) -> Result<Self> {
        from_z85(text).map(|bytes| Self::from(*bytes))
    }
}

impl AsRef<[u8]> for SecretKey {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// A CURVE key pair (`zmq_curve_keypair`).
///
/// ```
/// use ferrozmq::CurveKeyPair;
///
/// let pair = CurveKeyPair::new()?;
/// assert_eq!(pair.secret_key.public_key(), pair.public_key);
/// assert_eq!(pair.public_key.to_string().len(), 40);
/// # Ok::<(), ferrozmq::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurveKeyPair {
    /// What peers may know.
    pub public_key: PublicKey,
    /// What nobody else may know.
    pub secret_key: SecretKey,
}

impl CurveKeyPair {
    /// A new pair, from the system's source of randomness.
    ///
    /// # Errors
    /// [`Error::Io`] if the system has none.
    pub fn new() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        getrandom::fill(&mut *bytes).map_err(std::io::Error::other)?;
        Ok(SecretKey::from(*bytes).into())
    }
}

impl From<SecretKey> for CurveKeyPair {
    /// The pair that this secret key is half of.
    fn from(secret_key: SecretKey) -> Self {
        Self {
            public_key: secret_key.public_key(),
            secret_key,
        }
    }
}

type KeyBytes = Zeroizing<[u8; KEY_LEN]>;

fn parse(key: &[u8]) -> Result<KeyBytes> {
    if let Ok(bytes) = key.try_into() {
        return Ok(Zeroizing::new(bytes));
    }
    let text = std::str::from_utf8(key.strip_suffix(&[0]).unwrap_or(key));
    from_z85(text.map_err(|_| WRONG_KEY)?)
}

fn from_z85(text: &str) -> Result<KeyBytes> {
    let bytes = Zeroizing::new(z85_decode(text).map_err(|_| WRONG_KEY)?);
    let bytes = bytes.as_slice().try_into().map_err(|_| WRONG_KEY)?;
    Ok(Zeroizing::new(bytes))
}

const WRONG_KEY: Error = Error::InvalidArgument("a key is 32 bytes, or 40 characters of Z85");

fn to_z85(bytes: &[u8; KEY_LEN]) -> String {
    z85_encode(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pair of Alice in the NaCl documentation ("Cryptography in NaCl", section 3).
    const SECRET: [u8; 32] = [
        0x77, 0x07, 0x6D, 0x0A, 0x73, 0x18, 0xA5, 0x7D, 0x3C, 0x16, 0xC1, 0x72, 0x51, 0xB2, 0x66,
        0x45, 0xDF, 0x4C, 0x2F, 0x87, 0xEB, 0xC0, 0x99, 0x2A, 0xB1, 0x77, 0xFB, 0xA5, 0x1D, 0xB9,
        0x2C, 0x2A,
    ];
    const PUBLIC: [u8; 32] = [
        0x85, 0x20, 0xF0, 0x09, 0x89, 0x30, 0xA7, 0x54, 0x74, 0x8B, 0x7D, 0xDC, 0xB4, 0x3E, 0xF7,
        0x5A, 0x0D, 0xBF, 0x3A, 0x0D, 0x26, 0x38, 0x1A, 0xF4, 0xEB, 0xA4, 0xA9, 0x8E, 0xAA, 0x9B,
        0x4E, 0x6A,
    ];

    #[test]
    fn the_public_key_follows_from_the_secret_one() {
        assert_eq!(SecretKey::from(SECRET).public_key(), PUBLIC.into());
        // The pair of the man page of zmq_curve_public.
        let secret: SecretKey = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs".parse().unwrap();
        let public = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
        assert_eq!(secret.public_key().to_string(), public);
    }

    #[test]
    fn a_key_can_be_given_in_three_forms() {
        let key = PublicKey::from(PUBLIC);
        let text = key.to_string();
        for form in [&PUBLIC[..], text.as_bytes(), format!("{text}\0").as_bytes()] {
            assert_eq!(PublicKey::parse(form).unwrap(), key);
            assert_eq!(SecretKey::parse(form).unwrap().as_bytes(), key.as_bytes());
        }
        for wrong in [
            &b""[..],
            &[0; 31],
            &[0; 33],
            &[b'"'; 40],
            &text.as_bytes()[..39],
        ] {
            assert!(PublicKey::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let pair = CurveKeyPair::from(SecretKey::from(SECRET));
        let shown = format!("{pair:?}");
        assert!(shown.contains("SecretKey(..)"), "{shown}");
        assert!(!shown.contains(&**pair.secret_key.to_z85()), "{shown}");
    }

    #[test]
    fn no_secret_is_shared_with_a_point_of_low_order() {
        let secret = SecretKey::from(SECRET);
        let mut one = [0; 32];
        one[0] = 1;
        assert!(secret.agree(&[0; 32].into()).is_none());
        assert!(secret.agree(&one.into()).is_none());
        assert!(secret.agree(&PUBLIC.into()).is_some());
    }

    #[test]
    fn pairs_are_different() {
        assert_ne!(CurveKeyPair::new().unwrap(), CurveKeyPair::new().unwrap());
    }
}
