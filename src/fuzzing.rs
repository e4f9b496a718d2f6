//! What fuzzers call: functions that take any bytes, and panic where a rule is broken that must
//! hold for all of them.
//!
//! They are no part of the API, and are there only if the library is compiled for fuzzing. The
//! tests below give them bytes too, so that they are used without a fuzzer.

use std::time::Instant;

use crate::endpoint::Endpoint;
use crate::zmtp::fuzzing;
use crate::zmtp::fuzzing::handshakes::{self, Kind, Saying};

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

/// One function for each command of each mechanism: what comes in its place.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident: $kind:ident $saying:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(bytes: &[u8]) {
                handshakes::command(Kind::$kind, Saying::$saying, bytes, Instant::now());
            }
        )*

        /// The name of each of these functions, and what a real handshake has there.
        #[must_use]
        pub fn genuine_commands() -> Vec<(&'static str, Vec<u8>)> {
            let genuine = |kind, saying| handshakes::genuine(kind, saying, Instant::now());
            vec![$((stringify!($name), genuine(Kind::$kind, Saying::$saying))),*]
        }
    };
}

commands! {
    /// In the place of NULL's READY.
    null_ready: Null Ready;
    /// In the place of PLAIN's HELLO.
    plain_hello: Plain Hello;
    /// In the place of PLAIN's WELCOME.
    plain_welcome: Plain Welcome;
    /// In the place of PLAIN's INITIATE.
    plain_initiate: Plain Initiate;
    /// In the place of PLAIN's READY.
    plain_ready: Plain Ready;
    /// In the place of CURVE's HELLO.
    curve_hello: Curve Hello;
    /// In the place of CURVE's WELCOME.
    curve_welcome: Curve Welcome;
    /// In the place of CURVE's INITIATE.
    curve_initiate: Curve Initiate;
    /// In the place of CURVE's READY.
    curve_ready: Curve Ready;
    /// In the place of CURVE's MESSAGE.
    curve_message: Curve Message;
}

/// NULL's ERROR.
pub fn null_error(bytes: &[u8]) {
    handshakes::error(Kind::Null, bytes, Instant::now());
}

/// PLAIN's ERROR, in the place of any command.
pub fn plain_error(bytes: &[u8]) {
    handshakes::error(Kind::Plain, bytes, Instant::now());
}

/// CURVE's ERROR, in the place of any command.
pub fn curve_error(bytes: &[u8]) {
    handshakes::error(Kind::Curve, bytes, Instant::now());
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

    type Target = (&'static str, fn(&[u8]));

    const COMMANDS: [Target; 13] = [
        ("null_ready", null_ready),
        ("plain_hello", plain_hello),
        ("plain_welcome", plain_welcome),
        ("plain_initiate", plain_initiate),
        ("plain_ready", plain_ready),
        ("curve_hello", curve_hello),
        ("curve_welcome", curve_welcome),
        ("curve_initiate", curve_initiate),
        ("curve_ready", curve_ready),
        ("curve_message", curve_message),
        ("null_error", null_error),
        ("plain_error", plain_error),
        ("curve_error", curve_error),
    ];

    #[test]
    fn each_command_of_a_real_handshake_is_taken() {
        for ((name, body), (same, fuzz)) in genuine_commands().into_iter().zip(COMMANDS) {
            assert_eq!(name, same);
            assert!(!body.is_empty(), "{name} is none");
            // The genuine one, unaltered.
            fuzz(&[1]);
        }
    }

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
        fn any_bytes_can_come_in_the_place_of_a_command(
            how in 0..3u8,
            bytes in vec(any::<u8>(), 0..300),
        ) {
            let bytes = [&[how], &bytes[..]].concat();
            for (_, fuzz) in COMMANDS {
                fuzz(&bytes);
            }
        }

        #[test]
        fn a_command_can_be_altered_anywhere(
            edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in prop::option::of(any::<prop::sample::Index>()),
            repeated in any::<bool>(),
        ) {
            for ((name, mut bytes), (_, fuzz)) in genuine_commands().into_iter().zip(COMMANDS) {
                for (at, edit) in &edits {
                    let at = at.index(bytes.len());
                    bytes[at] ^= edit;
                }
                if repeated {
                    bytes.extend_from_within(..);
                }
                bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
                assert!(!bytes.is_empty() || cut.is_some(), "{name}");
                fuzz(&[&[0], &bytes[..]].concat());
            }
        }

        #[test]
        fn boxes_can_hold_any_text(
            text in vec(any::<u8>(), 0..200),
            metadata in vec(("[a-z]{1,9}", vec(any::<u8>(), 0..20)), 0..3),
        ) {
            let named = metadata.iter().map(|(name, value)| (&name[..], &value[..]));
            let metadata = fuzzing::metadata(named);
            for text in [&text[..], &metadata, &[&[0], &metadata[..]].concat(), &[0; 64]] {
                let bytes = [&[2], text].concat();
                for fuzz in [curve_hello, curve_welcome, curve_initiate, curve_ready, curve_message] {
                    fuzz(&bytes);
                }
            }
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
