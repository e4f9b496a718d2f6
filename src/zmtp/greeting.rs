//! The greeting: the first bytes of a connection, which tell each side what the other speaks.
//!
//! It is sent in stages, because old peers must not see what they do not know: the signature at
//! once (an old peer takes it for the head of our identity frame), the version when the peer's
//! signature came, the rest when its version came. This file owns the peer's greeting while it
//! arrives. It never looks beyond it: the byte after the greeting stays in the input.

use crate::options::SocketType;
use crate::security::Mechanism;

/// The longest greeting, and the only length from version 3.0 on.
const GREETING_LEN: usize = 64;
/// 0xFF, a length, 0x7F.
const SIGNATURE_LEN: usize = 10;
/// The signature and a version and a socket type: all of a greeting before 3.0.
const OLD_LEN: usize = 12;
const MAJOR: u8 = 3;
const MINOR: u8 = 1;

/// A security mechanism's name as it stands in the greeting, filled up with zeros.
pub(crate) type MechanismName = [u8; 20];

/// A mechanism as it stands in the greeting.
pub(crate) fn mechanism_name(mechanism: Mechanism) -> MechanismName {
    let mut name = MechanismName::default();
    name[..mechanism.name().len()].copy_from_slice(mechanism.name().as_bytes());
    name
}

/// What the peer speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// ZMTP 1.0 as of ZeroMQ 2: no greeting at all.
    Unversioned,
    /// ZMTP 1.0 with a greeting.
    V1,
    /// ZMTP 2.0 (ZeroMQ 3).
    V2,
    /// ZMTP 3.0: mechanisms and commands, but subscriptions are messages.
    V3_0,
    /// ZMTP 3.1, or something later that is expected to understand it.
    V3_1,
}

impl Version {
    /// Whether there are command frames, and with them a mechanism and heartbeats.
    pub(crate) fn has_commands(self) -> bool {
        match self {
            Self::V3_0 | Self::V3_1 => true,
            Self::Unversioned | Self::V1 | Self::V2 => false,
        }
    }

    /// Whether a subscription is a command; else it is a message that starts with 1 or 0.
    pub(crate) fn subscribes_by_command(self) -> bool {
        match self {
            Self::V3_1 => true,
            Self::Unversioned | Self::V1 | Self::V2 | Self::V3_0 => false,
        }
    }
}

/// The greeting of one connection, both ways.
#[derive(Debug)]
pub(crate) struct Greeting {
    received: [u8; GREETING_LEN],
    len: usize,
    socket_type: SocketType,
    mechanism: MechanismName,
}

impl Greeting {
    /// Begins: writes the signature to `out`.
    pub(crate) fn start(
        socket_type: SocketType,
        mechanism: MechanismName,
        routing_id: &[u8],
        out: &mut Vec<u8>,
    ) -> Self {
        out.push(0xFF);
        out.extend_from_slice(&(routing_id.len() as u64 + 1).to_be_bytes());
        out.push(0x7F);
        Self {
            received: [0; GREETING_LEN],
            len: 0,
            socket_type,
            mechanism,
        }
    }

    /// Takes bytes from `input` until it is known what the peer speaks, and writes to `out` what
    /// is to be answered.
    pub(crate) fn handle_input(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Version> {
        if self.len == 0 && *input.first()? != 0xFF {
            return Some(Version::Unversioned);
        }
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.received[self.len] = byte;
            self.len += 1;
            if let Some(version) = self.on_byte(byte, out) {
                return Some(version);
            }
        }
        None
    }

    /// What was taken from the input. If the peer is [`Version::Unversioned`], it was the head of
    /// a frame.
    pub(crate) fn received(&self) -> &[u8] {
        &self.received[..self.len]
    }

    /// Whether the peer's mechanism is ours. Only to be asked of a complete 3.x greeting.
    pub(crate) fn mechanism_matches(&self) -> bool {
        self.received[OLD_LEN..][..self.mechanism.len()] == self.mechanism
    }

    fn on_byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Version> {
        match self.len {
            SIGNATURE_LEN if byte & 1 == 0 => return Some(Version::Unversioned),
            SIGNATURE_LEN => out.push(MAJOR),
            11 => self.answer_major(byte, out),
            OLD_LEN | GREETING_LEN => return self.version(),
            _ => {}
        }
        None
    }

    fn answer_major(&self, major: u8, out: &mut Vec<u8>) {
        if major < 2 {
            // Every type's number fits.
            out.extend(u8::try_from(self.socket_type.number()));
            return;
        }
        out.push(MINOR);
        out.extend_from_slice(&self.mechanism);
        out.resize(out.len() + GREETING_LEN - OLD_LEN - self.mechanism.len(), 0);
    }

    /// The peer's version, if its greeting is complete. The oddity that a major version of 2 is
    /// more than 2.0 is ZeroMQ's: "revision 1" stands for 2.0.
    fn version(&self) -> Option<Version> {
        match (self.received[10], self.received[11], self.len) {
            (0, _, _) => Some(Version::V1),
            (1, _, _) => Some(Version::V2),
            (3, 0, GREETING_LEN) => Some(Version::V3_0),
            (_, _, GREETING_LEN) => Some(Version::V3_1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NULL: MechanismName = *b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const SIGNATURE: &[u8] = b"\xFF\0\0\0\0\0\0\0\x01\x7F";

    /// Gives `bytes` to a DEALER's greeting: the version found, what was left, what was sent.
    fn greet(mut bytes: &[u8]) -> (Option<Version>, Vec<u8>, Vec<u8>) {
        let mut out = Vec::new();
        let mut greeting = Greeting::start(SocketType::DEALER, NULL, b"", &mut out);
        let version = greeting.handle_input(&mut bytes, &mut out);
        (version, bytes.to_vec(), out)
    }

    fn full(major: u8, minor: u8) -> Vec<u8> {
        let mut bytes = [SIGNATURE, &[major, minor], &NULL].concat();
        bytes.resize(GREETING_LEN, 0);
        bytes
    }

    #[test]
    fn the_greeting_is_sent_in_stages() {
        let ours = full(3, 1);
        assert_eq!(greet(&[]).2, ours[..10], "the signature at once");
        assert_eq!(greet(&ours[..9]).2, ours[..10]);
        assert_eq!(greet(&ours[..10]).2, ours[..11], "then the version");
        assert_eq!(greet(&ours[..11]).2, ours, "then the rest");
        assert_eq!(greet(&ours), (Some(Version::V3_1), vec![], ours));
    }

    #[test]
    fn every_version_is_told_apart() {
        let cases = [
            (0, 5, Version::V1),
            (1, 5, Version::V2),
            (3, 0, Version::V3_0),
            (3, 1, Version::V3_1),
            (3, 9, Version::V3_1),
            (2, 0, Version::V3_1),
            (4, 0, Version::V3_1),
            (9, 9, Version::V3_1),
            (0x7F, 0, Version::V3_1),
        ];
        for (major, minor, version) in cases {
            assert_eq!(
                greet(&full(major, minor)).0,
                Some(version),
                "{major}.{minor}"
            );
        }
    }

    #[test]
    fn an_old_peer_is_told_the_socket_type() {
        for major in [0, 1] {
            let (_, rest, sent) = greet(&full(major, 8));
            assert_eq!(sent, [SIGNATURE, &[3, 5]].concat(), "5 is DEALER");
            assert_eq!(
                rest.len(),
                GREETING_LEN - OLD_LEN,
                "the rest is no greeting"
            );
        }
    }

    #[test]
    fn a_peer_without_a_greeting_gets_no_more_than_the_signature() {
        let (version, rest, sent) = greet(b"\x01\x00");
        assert_eq!(version, Some(Version::Unversioned));
        assert_eq!((&rest[..], &sent[..]), (&b"\x01\x00"[..], SIGNATURE));

        let long_identity = b"\xFF\0\0\0\0\0\0\0\x05\x00abcd";
        let (version, rest, sent) = greet(long_identity);
        assert_eq!(version, Some(Version::Unversioned));
        assert_eq!((&rest[..], &sent[..]), (&b"abcd"[..], SIGNATURE));
    }

    #[test]
    fn the_signature_carries_the_length_of_the_routing_id() {
        let mut out = Vec::new();
        Greeting::start(SocketType::DEALER, NULL, b"abc", &mut out);
        assert_eq!(out, b"\xFF\0\0\0\0\0\0\0\x04\x7F");
    }
}
