//! Certificate files: keys of CURVE on disk, in the form that czmq writes and pyzmq reads.
//!
//! Such a file is indented text (RFC 4, ZPL): a section `metadata` with whatever the owner wants to
//! tell, and a section `curve` with the keys as Z85 text. The public half lies in one file, and
//! both halves in another whose name ends with `_secret`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::keys::{CurveKeyPair, PublicKey, SecretKey};

/// A certificate is a few lines; what is longer is something else.
const FILE_MAX: u64 = 64 * 1024;

impl PublicKey {
    /// Reads the public key from a certificate file, as czmq and pyzmq write them.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, or is no certificate.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        load_public(path.as_ref()).map(|(key, _)| key)
    }
}

impl CurveKeyPair {
    /// Reads a key pair from a secret certificate file.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, or is no certificate with a secret key, or its
    /// keys do not belong together.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let text = read(path.as_ref())?;
        let secret = value(&text, "curve", "secret-key").ok_or_else(no_certificate)?;
        let secret_key: SecretKey = secret.parse().map_err(|_| no_certificate())?;
        let pair = Self::from(secret_key);
        match value(&text, "curve", "public-key").map(str::parse::<PublicKey>) {
            Some(Ok(key)) if key != pair.public_key => Err(no_certificate()),
            Some(Err(_)) => Err(no_certificate()),
            Some(Ok(_)) | None => Ok(pair),
        }
    }

    /// Writes the public key to a certificate file at `path`, and both keys to another one beside
    /// it, whose name ends with `_secret` and which only its owner can read. czmq and pyzmq read
    /// both. `name` is what [`Rules::allow_keys_in`](crate::Rules::allow_keys_in) calls the owner;
    /// it may be empty.
    ///
    /// # Errors
    /// [`Error::Io`] if one of the files exists or cannot be written, [`Error::InvalidArgument`]
    /// for a name with quotes or control characters.
    pub fn save(&self, path: impl AsRef<Path>, name: &str) -> Result<()> {
        if name.contains('"') || name.chars().any(char::is_control) {
            return Err(Error::InvalidArgument(
                "a name in a certificate has no quotes and no control characters",
            ));
        }
        let metadata = match name {
            "" => String::new(),
            name => format!("    name = \"{name}\"\n"),
        };
        let head = format!(
            "metadata\n{metadata}curve\n    public-key = \"{}\"\n",
            self.public_key
        );
        let secret = Zeroizing::new(format!(
            "#   ZeroMQ CURVE **Secret** Certificate: keep it to yourself\n\
             {head}    secret-key = \"{}\"\n",
            *self.secret_key.to_z85(),
        ));
        write(&secret_path(path.as_ref()), &secret, 0o600)?;
        let public = format!("#   ZeroMQ CURVE Public Certificate\n{head}");
        write(path.as_ref(), &public, 0o644)
    }
}

/// The public key in a certificate, and the name of its owner, if it tells one.
pub(crate) fn load_public(path: &Path) -> Result<(PublicKey, String)> {
    let text = read(path)?;
    let key = value(&text, "curve", "public-key").ok_or_else(no_certificate)?;
    let name = value(&text, "metadata", "name").unwrap_or_default();
    let key = key.parse().map_err(|_| no_certificate())?;
    Ok((key, name.to_owned()))
}

fn secret_path(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push("_secret");
    path.into()
}

fn no_certificate() -> Error {
    let reason = "this is no certificate with such a key";
    std::io::Error::new(std::io::ErrorKind::InvalidData, reason).into()
}

fn read(path: &Path) -> Result<Zeroizing<String>> {
    if fs::metadata(path)?.len() > FILE_MAX {
        return Err(no_certificate());
    }
    Ok(Zeroizing::new(fs::read_to_string(path)?))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)?.write_all(text.as_bytes())?;
    Ok(())
}

/// The value of a name in a section.
fn value<'a>(text: &'a str, section: &str, name: &str) -> Option<&'a str> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let begin = |line: &&str| line.trim_end() == section;
    let inside = lines.skip_while(move |line| !begin(line)).skip(1);
    let inside = inside.take_while(|line| line.is_empty() || line.starts_with([' ', '\t']));
    inside
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_can_be_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ann");
        let pair = CurveKeyPair::new().unwrap();
        pair.save(&path, "Ann of Arc").unwrap();
        assert_eq!(CurveKeyPair::load(secret_path(&path)).unwrap(), pair);
        let (key, name) = load_public(&path).unwrap();
        assert_eq!((key, &name[..]), (pair.public_key, "Ann of Arc"));
        assert_eq!(
            PublicKey::load(secret_path(&path)).unwrap(),
            pair.public_key
        );
        assert!(CurveKeyPair::load(&path).is_err(), "it has no secret");
        assert!(pair.save(&path, "").is_err(), "nothing is overwritten");
        assert!(pair.save(directory.path().join("x"), "a\"b").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_secret() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bob");
        CurveKeyPair::new().unwrap().save(&path, "").unwrap();
        let mode = fs::metadata(secret_path(&path))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_files_of_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("theirs");
        let czmq = "#   ****  Generated on 2024-01-01 12:00:00 by CZMQ  ****\n\
            #   ZeroMQ CURVE Public Certificate\n\
            #   Exchange securely, or use a secure mechanism to verify the contents\n\
            \n\
            metadata\n    email = \"ann@example.com\"\n    name = \"ann\"\n\
            curve\n    public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\"\n    \
            secret-key = \"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\"\n";
        fs::write(&path, czmq).unwrap();
        let pair = CurveKeyPair::load(&path).unwrap();
        let key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
        assert_eq!(pair.public_key.to_string(), key);
        assert_eq!(load_public(&path).unwrap().1, "ann");
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wrong");
        let (one, other) = (CurveKeyPair::new().unwrap(), CurveKeyPair::new().unwrap());
        let mixed = format!(
            "curve\n    public-key = \"{}\"\n    secret-key = \"{}\"\n",
            one.public_key,
            *other.secret_key.to_z85()
        );
        let long = "x".repeat(70_000);
        for text in [
            "",
            "curve\n",
            "curve\n    secret-key = \"short\"\n",
            &mixed,
            &long,
        ] {
            fs::write(&path, text).unwrap();
            assert!(CurveKeyPair::load(&path).is_err(), "{text}");
        }
        assert!(PublicKey::load(directory.path().join("nothing")).is_err());
    }
}
