//! Commands: what is said in command frames, and the metadata that some of them carry.
//!
//! Only bytes to values and back. Nothing here has state, and nothing judges whether a command
//! may come now.

use std::time::Duration;

use crate::error::ProtocolError;
use crate::msg::{GROUP_MAX, Metadata};

/// What opens each command: the length of its name, and the name.
pub(crate) const SUBSCRIBE: &[u8] = b"\x09SUBSCRIBE";
pub(crate) const CANCEL: &[u8] = b"\x06CANCEL";
pub(crate) const JOIN: &[u8] = b"\x04JOIN";
pub(crate) const LEAVE: &[u8] = b"\x05LEAVE";
pub(crate) const PING: &[u8] = b"\x04PING";
pub(crate) const PONG: &[u8] = b"\x04PONG";
pub(crate) const READY: &[u8] = b"\x05READY";
pub(crate) const INITIATE: &[u8] = b"\x08INITIATE";
pub(crate) const HELLO: &[u8] = b"\x05HELLO";
pub(crate) const WELCOME: &[u8] = b"\x07WELCOME";
const ERROR: &[u8] = b"\x05ERROR";

/// How much of a PING is echoed.
const CONTEXT_MAX: usize = 16;
/// More properties than any application has: each new one is compared with all before it.
const PROPERTIES_MAX: usize = 256;

/// A command that means something to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command<'a> {
    /// The end of a handshake, with metadata.
    Ready(&'a [u8]),
    /// The peer refuses us: the length of a reason, and the reason.
    Error(&'a [u8]),
    /// A subscription to a topic.
    Subscribe(&'a [u8]),
    /// The end of a subscription to a topic.
    Cancel(&'a [u8]),
    /// A DISH joins a group.
    Join(&'a [u8]),
    /// A DISH leaves a group.
    Leave(&'a [u8]),
    /// The peer asks for a PONG with the same context, and wants to be given up if nothing is
    /// heard of it for as long as `ttl`, unless that is zero.
    Ping { ttl: Duration, context: &'a [u8] },
    /// Anything else: PONG, commands of other patterns and versions, and what is no command.
    Other,
}

impl<'a> Command<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Self {
        match split_name(body) {
            Some((b"READY", metadata)) => Self::Ready(metadata),
            Some((b"ERROR", reason)) => Self::Error(reason),
            Some((b"SUBSCRIBE", topic)) => Self::Subscribe(topic),
            Some((b"CANCEL", topic)) => Self::Cancel(topic),
            Some((b"JOIN", group)) if group.len() <= GROUP_MAX => Self::Join(group),
            Some((b"LEAVE", group)) if group.len() <= GROUP_MAX => Self::Leave(group),
            Some((b"PING", &[high, low, ref context @ ..])) => Self::Ping {
                // In 32 bits: tenths of a second in 16 bits overflow as milliseconds.
                ttl: Duration::from_millis(100) * u32::from(u16::from_be_bytes([high, low])),
                context: &context[..context.len().min(CONTEXT_MAX)],
            },
            _ => Self::Other,
        }
    }
}

/// The first byte's length of what follows it, and the rest.
pub(crate) fn split_name(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = body.split_first()?;
    rest.split_at_checked(len.into())
}

/// READY with these properties.
#[cfg(any(test, fuzzing))]
pub(crate) fn ready<'a>(properties: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    with_properties(READY, properties)
}

/// ERROR with a ZAP status as its reason.
pub(crate) fn error(status: u16) -> Vec<u8> {
    [ERROR, b"\x03", status.to_string().as_bytes()].concat()
}

/// ERROR for a peer whose socket type cannot talk to ours.
pub(crate) fn incompatible() -> Vec<u8> {
    [ERROR, b"\x18incompatible socket type"].concat()
}

/// These properties behind `head`.
pub(crate) fn with_properties<'a>(
    head: &[u8],
    properties: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<u8> {
    let mut body = head.to_vec();
    for (name, value) in properties {
        push_property(&mut body, name, value);
    }
    body
}

/// The duration as PING tells it: in tenths of a second, as many as fit.
pub(crate) fn ping_ttl(ttl: Duration) -> [u8; 2] {
    u16::try_from(ttl.as_millis() / 100)
        .unwrap_or(u16::MAX)
        .to_be_bytes()
}

/// Why the peer refuses us: a status code of the authentication, or 0 for any other reason.
pub(crate) fn parse_error(reason: &[u8]) -> Result<u16, ProtocolError> {
    let (reason, _) = split_name(reason).ok_or(ProtocolError::MalformedError)?;
    Ok(match reason {
        b"300" => 300,
        b"400" => 400,
        b"500" => 500,
        _ => 0,
    })
}

/// The properties of a handshake command.
pub(crate) fn parse_metadata(mut bytes: &[u8]) -> Result<Metadata, ProtocolError> {
    let mut metadata = Metadata::new();
    let mut count = 0;
    while !bytes.is_empty() {
        let (name, value, rest) = split_property(bytes).ok_or(ProtocolError::InvalidMetadata)?;
        metadata.insert(name, value);
        bytes = rest;
        count += 1;
        if count > PROPERTIES_MAX {
            return Err(ProtocolError::InvalidMetadata);
        }
    }
    Ok(metadata)
}

/// The first property's name and value, and what follows it.
fn split_property(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (name, rest) = split_name(bytes).filter(|(name, _)| !name.is_empty())?;
    let (len, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    Some((std::str::from_utf8(name).ok()?, value, rest))
}

/// A property whose name or value does not fit its length is left out; the options let none in.
fn push_property(body: &mut Vec<u8>, name: &str, value: &[u8]) {
    let (Ok(name_len), Ok(value_len)) = (u8::try_from(name.len()), u32::try_from(value.len()))
    else {
        debug_assert!(false, "the property {name:?} is too long");
        return;
    };
    body.push(name_len);
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(&value_len.to_be_bytes());
    body.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_known_by_their_exact_name() {
        assert_eq!(Command::parse(b"\x05READYabc"), Command::Ready(b"abc"));
        assert_eq!(Command::parse(b"\x05ERROR"), Command::Error(b""));
        assert_eq!(Command::parse(b"\x09SUBSCRIBEa"), Command::Subscribe(b"a"));
        assert_eq!(Command::parse(b"\x06CANCELa"), Command::Cancel(b"a"));
        assert_eq!(Command::parse(b"\x04JOINa"), Command::Join(b"a"));
        assert_eq!(Command::parse(b"\x05LEAVE"), Command::Leave(b""));
        for other in [
            &b""[..],
            b"\x00",
            b"\x05",
            b"\x05READ",
            b"\x06READY",
            b"\x05ready",
            b"\xFFREADY",
            b"\x04PONG",
            b"\x04JOI",
        ] {
            assert_eq!(Command::parse(other), Command::Other, "{other:?}");
        }
    }

    #[test]
    fn a_ping_has_a_time_to_live_and_a_context_of_at_most_sixteen_bytes() {
        assert_eq!(Command::parse(b"\x04PING"), Command::Other);
        assert_eq!(Command::parse(b"\x04PING\x00"), Command::Other);
        let long = Command::parse(b"\x04PING\xFF\xFF0123456789abcdefg");
        let (ttl, context) = (Duration::from_millis(6_553_500), &b"0123456789abcdef"[..]);
        assert_eq!(long, Command::Ping { ttl, context });
    }

    #[test]
    fn a_ttl_is_told_in_tenths_of_a_second() {
        assert_eq!(ping_ttl(Duration::from_millis(1999)), [0, 19]);
        assert_eq!(ping_ttl(Duration::MAX), [0xFF, 0xFF]);
    }

    #[test]
    fn metadata_round_trips() {
        let properties = [("Socket-Type", &b"PUSH"[..]), ("X-Empty", b"")];
        let body = ready(properties.into_iter());
        let metadata = parse_metadata(&body[READY.len()..]).unwrap();
        assert!(metadata.iter().eq(properties));
    }

    #[test]
    fn metadata_cut_anywhere_does_not_parse() {
        let body = ready([("Socket-Type", &b"PUSH"[..])].into_iter());
        let metadata = &body[READY.len()..];
        for len in 1..metadata.len() {
            let parsed = parse_metadata(&metadata[..len]);
            assert_eq!(parsed, Err(ProtocolError::InvalidMetadata), "{len}");
        }
    }

    #[test]
    fn metadata_that_breaks_the_grammar_does_not_parse() {
        let many = b"\x01a\0\0\0\0".repeat(PROPERTIES_MAX + 1);
        for bytes in [
            &b"\x00\0\0\0\0"[..],
            b"\x01\xFF\0\0\0\0",
            b"\x01a\xFF\xFF\xFF\xFF",
            b"\x01a\x7F\xFF\xFF\xFFx",
            &many,
        ] {
            assert_eq!(parse_metadata(bytes), Err(ProtocolError::InvalidMetadata));
        }
    }

    #[test]
    fn refusals_carry_a_status() {
        assert_eq!(parse_error(b"\x03300"), Ok(300));
        assert_eq!(parse_error(b"\x03400"), Ok(400));
        assert_eq!(parse_error(b"\x03500"), Ok(500));
        assert_eq!(parse_error(b"\x03200"), Ok(0));
        assert_eq!(parse_error(b"\x00"), Ok(0));
        assert_eq!(parse_error(b"\x07go away"), Ok(0));
        assert_eq!(parse_error(b""), Err(ProtocolError::MalformedError));
        assert_eq!(parse_error(b"\x0440"), Err(ProtocolError::MalformedError));
    }
}
