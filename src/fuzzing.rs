//! What fuzzers call: functions that take any bytes, and panic where a rule is broken that must
//! hold for all of them.
//!
//! They are no part of the API, and are there only if the library is compiled for fuzzing. The
//! tests below give them bytes too, so that they are used without a fuzzer.

use std::time::Instant;

use crate::endpoint::Endpoint;
use crate::zmtp::fuzzing;

/// A greeting of a peer.
pub fn greeting(bytes: &[u8]) {
    fuzzing::greeting(bytes);
}

/// A stream of frames.
pub fn frames(bytes: &[u8]) {
    fuzzing::frames(bytes);
}

/// The body of a command.
pub fn command(bytes: &[u8]) {
    fuzzing::command(bytes);
}

/// Everything that a peer sends.
pub fn engine(bytes: &[u8]) {
    fuzzing::engine(bytes, Instant::now());
}

/// What two engines say to each other.
pub fn engine_pair(bytes: &[u8]) {
    fuzzing::engine_pair(bytes, Instant::now());
}

/// A PLAIN handshake of which a part is altered.
pub fn plain(bytes: &[u8]) {
    fuzzing::plain(bytes, Instant::now());
}

/// A CURVE handshake of which a part is altered.
pub fn curve(bytes: &[u8]) {
    fuzzing::curve(bytes, Instant::now());
}

/// What a ZAP handler answers.
pub fn zap_reply(bytes: &[u8]) {
    fuzzing::zap_reply(bytes);
}

/// The text of an endpoint: what it is printed as means the same.
pub fn endpoint(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for read in [Endpoint::for_bind, Endpoint::for_connect] {
        if let Ok(endpoint) = read(&text) {
            let again = read(&endpoint.to_string()).expect("what is printed can be read");
            assert_eq!(again, endpoint, "{text:?} is printed as something else");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Bytes that say something now and then.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let words = proptest::sample::select(vec![
            &b"\xFF\0\0\0\0\0\0\0\x01\x7F"[..],
            b"\x03\x01NULL",
            b"\x04\x1B\x05READY\x0BSocket-Type\0\0\0\x05",
            b"\x04\x07\x04PING\0\x05",
            b"\x04\x0B\x09SUBSCRIBEx",
            b"\x01\x05hello",
            b"\x00\x00",
            b"\x02\0\0\0\0\0\0\x01\x00",
        ]);
        let piece = prop_oneof![
            words.prop_map(<[u8]>::to_vec),
            vec(any::<u8>(), 0..40),
            vec(0..4u8, 0..20),
        ];
        vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn endpoint_text() -> impl Strategy<Value = String> {
        "(tcp|ipc|inproc|udp)?(://)?[a-z0-9*@./:;%\\[\\]_-]{0,30}(:[0-9*]{0,6})?"
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_wire_takes_any_bytes(bytes in bytes()) {
            greeting(&bytes);
            frames(&bytes);
            command(&bytes);
            engine(&bytes);
        }

        #[test]
        fn endpoints_can_be_any_text(text in endpoint_text(), bytes in vec(any::<u8>(), 0..40)) {
            endpoint(text.as_bytes());
            endpoint(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

        #[test]
        fn handshakes_can_be_altered_in_any_way(
            which in 0..16u8,
            how in any::<u8>(),
            edit in vec(any::<u8>(), 0..300),
        ) {
            let bytes = [&[which, how], &edit[..]].concat();
            plain(&bytes);
            curve(&bytes);
        }

        #[test]
        fn zap_handlers_can_answer_anything(
            mut frames in vec(vec(any::<u8>(), 0..9), 0..9),
            right in any::<u8>(),
        ) {
            for (n, frame) in ["", "1.0", "1", "200"].iter().enumerate() {
                if right >> n & 1 == 1 && n < frames.len() {
                    frames[n] = frame.as_bytes().to_vec();
                }
            }
            zap_reply(&frames.join(&0xFF));
        }

        #[test]
        fn two_engines_understand_each_other(script in vec(any::<u8>(), 4..40)) {
            engine_pair(&script);
        }
    }
}
