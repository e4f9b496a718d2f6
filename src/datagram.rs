//! Messages to groups as datagrams, for RADIO and DISH over udp: the length of the group in one byte,
//! the group, the body.
//!
//! Only bytes to values and back. A datagram that is none of this form is nothing.

use crate::msg::Msg;

/// The longest datagram that is sent: ZeroMQ's peers have no room for more.
const MAX: usize = 8192;

/// Writes a message as a datagram; false if it is too long to be one.
pub(crate) fn encode(msg: &Msg, out: &mut Vec<u8>) -> bool {
    let group = msg.group().as_bytes();
    let Ok(group_len) = u8::try_from(group.len()) else {
        return false;
    };
    out.clear();
    if 1 + group.len() + msg.len() > MAX {
        return false;
    }
    out.push(group_len);
    out.extend_from_slice(group);
    out.extend_from_slice(msg);
    true
}

/// The message in a datagram.
pub(crate) fn decode(datagram: &[u8]) -> Option<Msg> {
    let (&group_len, rest) = datagram.split_first()?;
    let (group, body) = rest.split_at_checked(usize::from(group_len))?;
    let mut msg = Msg::copied(body);
    msg.set_group(std::str::from_utf8(group).ok()?).ok()?;
    Some(msg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(group: &str, body: &[u8]) -> Msg {
        let mut msg = Msg::copied(body);
        msg.set_group(group).unwrap();
        msg
    }

    #[test]
    fn a_datagram_has_a_group_and_a_body() {
        let mut out = b"what was there before".to_vec();
        assert!(encode(&message("news", b"body"), &mut out));
        assert_eq!(out, b"\x04newsbody");
        let msg = decode(&out).unwrap();
        assert_eq!((msg.group(), &msg[..]), ("news", &b"body"[..]));
        assert!(encode(&message("", b""), &mut out) && out == [0]);
    }

    #[test]
    fn what_is_too_long_is_none() {
        let mut out = Vec::new();
        assert!(encode(&message("g", &[0; MAX - 2]), &mut out));
        assert_eq!(out.len(), MAX);
        assert!(!encode(&message("g", &[0; MAX - 1]), &mut out));
        let longest = "x".repeat(255);
        assert!(encode(&message(&longest, b"body"), &mut out));
        assert_eq!(decode(&out).unwrap().group(), longest);
    }

    #[test]
    fn what_breaks_the_form_is_nothing() {
        for datagram in [&b""[..], b"\x01", b"\xFFshort", b"\x01\xFF", b"\x02a\0body"] {
            assert!(decode(datagram).is_none(), "{datagram:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(msg) = decode(&bytes) {
                let mut out = Vec::new();
                prop_assert!(encode(&msg, &mut out));
                prop_assert_eq!(out, bytes);
            }
        }
    }
}
