//! What fuzzers call: functions that take any bytes, and panic where a rule is broken that must
//! hold for all of them.
//!
//! They are no part of the API, and are there only if the library is compiled for fuzzing. The
//! tests give them bytes too, so that they are used without a fuzzer.

use crate::amp::{Decoder, LimitError, Limits, MAX_ARGS};
use crate::value::{Arg, DecodeError, Encoder, Kind, Message, Raw};
use crate::{Pattern, Value};

/// A stream: what comes out of it does not depend on how it was sliced, and all of it is the
/// messages that come out and a part of one.
pub fn amp(bytes: &[u8]) {
    let limits = Limits {
        arg: 1 << 20,
        message: 1 << 21,
    };
    let (messages, end) = cut(limits, bytes, usize::MAX);
    for size in [1, 2, 3, 5, 7, 64] {
        assert_eq!(
            cut(limits, bytes, size),
            (messages.clone(), end),
            "in slices of {size}"
        );
    }
    assert!(
        bytes.starts_with(&messages.concat()),
        "a message is a part of the stream"
    );
    for bytes in messages {
        message(bytes);
    }
}

/// All messages in `bytes`, given to a decoder in slices of `size`, and how it ended.
fn cut(limits: Limits, mut bytes: &[u8], size: usize) -> (Vec<Vec<u8>>, Result<(), LimitError>) {
    let mut decoder = Decoder::new(limits);
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let taken = match decoder.space() {
            // As if it had been read there.
            Some(space) => {
                let n = space.len().min(bytes.len()).min(size);
                space[..n].copy_from_slice(&bytes[..n]);
                decoder.filled(n);
                n
            }
            None => 0,
        };
        bytes = &bytes[taken..];
        let n = if taken == 0 { size.min(bytes.len()) } else { 0 };
        let (mut slice, rest) = bytes.split_at(n);
        bytes = rest;
        loop {
            match decoder.next(&mut slice) {
                Ok(Some(cut)) => messages.push(cut.as_ref().to_vec()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next(&mut slice), Err(error), "failed stays failed");
                    return (messages, Err(error));
                }
            }
        }
        assert!(slice.is_empty(), "all input is taken");
    }
    (messages, Ok(()))
}

/// A whole message: it can be read without a panic, and sent on as it came.
fn message(bytes: Vec<u8>) {
    let message = Message::from_bytes(bytes).expect("what was cut is a message");
    assert_eq!(
        message.len(),
        message.iter().count(),
        "all arguments are there"
    );
    assert!(message.len() <= MAX_ARGS, "the number has four bits");
    for each in &message {
        arg(each);
    }
    match Message::new(&message) {
        Ok(again) => assert!(again.iter().eq(&message), "sent on as it came"),
        Err(error) => assert!(
            message.is_empty() || message.to_values().is_err(),
            "{message:?} cannot be sent on: {error}"
        ),
    }
}

/// An argument: whatever can be read can be sent, and is read as the same again.
fn arg(arg: Arg<'_>) {
    let _ = arg.topic();
    let value = match arg.to_value() {
        Ok(value) => value,
        Err(error) => {
            assert_eq!(arg.kind(), Kind::Json, "only JSON can be wrong");
            let leaves = Encoder::new().raw(arg.as_wire()).is_ok();
            assert!(
                !leaves || is_out_of_range(&error),
                "broken JSON does not leave"
            );
            return;
        }
    };
    let again = Message::new(&value).expect("what came can be sent");
    assert_eq!(again.get(0).and_then(Arg::to_value).expect("sent"), value);
    if let Ok(text) = arg.text() {
        let text: &str = &text;
        assert_eq!(value.as_str(), Some(text), "text is text, however it comes");
    }
}

/// Whether it is JSON, but with a number that no double is, as `1e999`.
fn is_out_of_range(error: &DecodeError) -> bool {
    error.to_string().contains("number out of range")
}

/// An argument of any bytes.
pub fn value(bytes: &[u8]) {
    let arg = Arg::new(bytes);
    self::arg(arg);
    match (Message::new(&Value::from(bytes)), arg.kind()) {
        (Ok(message), Kind::Bytes) => {
            assert_eq!(message.get(0).expect("sent").as_bytes(), bytes);
        }
        (Err(_), Kind::Str | Kind::Json) => {}
        (sent, kind) => panic!("{kind} as bytes: {sent:?}"),
    }
    if let Ok(message) = Message::new(&Raw(bytes)) {
        let sent = message.get(0).and_then(Arg::to_value);
        let is_read = sent.as_ref().map_or_else(is_out_of_range, |_| true);
        assert!(is_read, "what is sent can be read: {sent:?}");
    }
    assert!(
        !matches!(arg.text(), Err(DecodeError::Missing(_))),
        "an argument that is there is not missing"
    );
}

/// A pattern and a topic, with a NUL between them: the captures put in the place of the stars are
/// the topic.
pub fn topic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, topic) = text.split_once('\0').unwrap_or((&text, ""));
    let pattern = Pattern::new(pattern);
    let captures = pattern.captures(topic);
    assert_eq!(captures.is_some(), pattern.is_match(topic));
    if let Some(captures) = captures {
        let mut captures = captures.into_iter();
        let mut parts = pattern.as_str().split('*');
        let mut spelled = parts.next().expect("there is a first part").to_owned();
        for part in parts {
            let capture = captures.next().expect("a capture for each star");
            assert!(!capture.is_empty(), "a star is a character at least");
            spelled.push_str(capture);
            spelled.push_str(part);
        }
        assert_eq!(spelled, topic);
        assert_eq!(captures.next(), None, "no more captures than stars");
    }
}
