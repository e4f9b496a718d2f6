//! Bytes that Node's packages put on the wire, read and written again.
//!
//! `vectors/axon_vectors.json` has exchanges of axon 2.0.3, pm2-axon 4.0.1, their RPC and the
//! daemons of pm2 6 and 7; `vectors/axon_topic_vectors.json` what the packages' patterns match.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use bytes::Bytes;
use ferrozmq_axon::amp::{Cut, Decoder, Limits};
use ferrozmq_axon::{Arg, EncodeError, Json, Kind, Message, Pattern, Raw, Value};
use serde::Deserialize;
use serde_json::Value as Any;

#[derive(Deserialize)]
struct Vector {
    name: String,
    package: String,
    group: String,
    hex: String,
    args_json: Option<Vec<Any>>,
    /// The arguments in a form that has unpaired surrogates.
    args_json_text: Option<String>,
    /// Those of several messages.
    messages_json: Option<Vec<Vec<Any>>>,
    /// What the program passed, where it arrives as something else.
    sent_json: Option<Vec<Any>>,
    #[serde(default)]
    quirk: bool,
    #[serde(default)]
    lone_surrogate: bool,
    subscriptions: Option<Vec<String>>,
    delivered: Option<bool>,
    listeners: Option<Vec<String>>,
    listener_calls: Option<Vec<(String, Vec<Any>)>>,
}

impl Vector {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("vectors/axon_vectors.json")).unwrap()
    }

    /// All that can be read: not the quirks, which have a test of their own.
    fn sound() -> Vec<Self> {
        let mut all = Self::all();
        all.retain(|vector| !vector.quirk);
        assert_eq!(all.len(), 301);
        all
    }

    fn bytes(&self) -> Vec<u8> {
        unhex(&self.hex)
    }

    /// The messages that its bytes are.
    fn messages(&self) -> Vec<Vec<Value>> {
        let of = |args: &Vec<Any>| args.iter().map(value).collect();
        match (&self.args_json, &self.args_json_text, &self.messages_json) {
            (Some(args), ..) => vec![of(args)],
            (_, _, Some(messages)) => messages.iter().map(of).collect(),
            // The one with an unpaired surrogate, which arrives as U+FFFD.
            (_, Some(text), _) => {
                let repaired = text.replace("\\ud800", "\u{fffd}");
                vec![of(&serde_json::from_str(&repaired).unwrap())]
            }
            _ => panic!("{} does not say what it is", self.name),
        }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// An argument as the vectors have it, where bytes are an object of their own.
fn value(any: &Any) -> Value {
    match (any, any.get("$buffer")) {
        (_, Some(hex)) => Value::Bytes(unhex(hex.as_str().unwrap()).into()),
        (Any::String(text), _) => Value::Str(text.clone()),
        (other, _) => Value::Json(other.clone()),
    }
}

/// The same, but that numbers are all doubles as in JavaScript, and strings strings, however they
/// came: the vectors do not tell.
fn loosely(value: Value) -> Value {
    fn doubles(any: Any) -> Any {
        match any {
            Any::Number(number) => number.as_f64().into(),
            Any::Array(items) => items.into_iter().map(doubles).collect(),
            Any::Object(members) => members
                .into_iter()
                .map(|(name, member)| (name, doubles(member)))
                .collect(),
            other => other,
        }
    }
    match value {
        Value::Json(Any::String(text)) => Value::Str(text),
        Value::Json(json) => Value::Json(doubles(json)),
        other => other,
    }
}

fn decode(vector: &Vector, slices: &[&[u8]]) -> Vec<Message> {
    let mut decoder = Decoder::new(Limits::default());
    let mut messages = Vec::new();
    for mut slice in slices.iter().copied() {
        while let Some(cut) = decoder.next(&mut slice).unwrap() {
            let bytes = match cut {
                Cut::Lent(bytes) => bytes.to_vec(),
                Cut::Whole(bytes) => bytes,
            };
            messages.push(Message::from_bytes(bytes).expect("what was cut is whole"));
        }
    }
    assert!(!decoder.is_partial(), "{} has no rest", vector.name);
    messages
}

#[test]
fn every_vector_is_read() {
    for vector in Vector::sound() {
        let messages = decode(&vector, &[&vector.bytes()]);
        let expected = vector.messages();
        assert_eq!(messages.len(), expected.len(), "{}", vector.name);
        for (message, expected) in messages.iter().zip(expected) {
            let values = message.to_values().unwrap().into_iter().map(loosely);
            let expected: Vec<_> = expected.into_iter().map(loosely).collect();
            assert_eq!(values.collect::<Vec<_>>(), expected, "{}", vector.name);
        }
    }
}

#[test]
fn every_vector_is_read_wherever_it_is_split() {
    let mut seen = BTreeSet::new();
    for vector in Vector::sound() {
        // Most of what the packages send is the same.
        if !seen.insert(vector.hex.clone()) {
            continue;
        }
        let bytes = vector.bytes();
        let whole = decode(&vector, &[&bytes]);
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert!(
                decode(&vector, &[left, right]) == whole,
                "{} at {at}",
                vector.name
            );
        }
        let drops: Vec<_> = bytes.chunks(1).collect();
        assert!(
            decode(&vector, &drops) == whole,
            "{} byte by byte",
            vector.name
        );
    }
}

/// Sent on as they came, messages are the bytes that they were. Made anew of their values, they
/// are so too, but for the half a character that was repaired.
#[test]
fn every_vector_is_written() {
    let mut different = BTreeSet::new();
    for vector in Vector::sound() {
        let bytes = vector.bytes();
        let mut forwarded = Vec::new();
        let mut anew = Vec::new();
        for message in decode(&vector, &[&bytes]) {
            let copy = Message::new(&message).unwrap();
            forwarded.extend_from_slice(&wire(&copy));
            let values = message.to_values().unwrap();
            let made = Message::new(&values).unwrap();
            assert_eq!(made.to_values().unwrap(), values, "{}", vector.name);
            anew.extend_from_slice(&wire(&made));
        }
        assert_eq!(forwarded, bytes, "{}", vector.name);
        if anew != bytes {
            different.insert(vector.name);
        }
    }
    assert_eq!(different, ["push-json-lone-surrogate".to_owned()].into());
}

/// The bytes of a message, made again of its arguments as they are on the wire.
fn wire(message: &Message) -> Vec<u8> {
    let mut encoder = ferrozmq_axon::Encoder::new();
    for arg in message {
        encoder.raw(arg.as_wire()).unwrap();
    }
    encoder.finish().unwrap().to_vec()
}

/// What programs passed to Node's sockets becomes the same bytes here.
#[test]
fn what_was_sent_becomes_the_same_bytes() {
    let mut checked = 0;
    for vector in Vector::sound() {
        let is_plain = |any: &Any| {
            !any.is_f64()
                && any
                    .as_object()
                    .is_none_or(|it| !it.keys().any(|k| k.starts_with('$')))
        };
        let Some(args) = vector
            .args_json
            .as_ref()
            .filter(|args| args.iter().all(is_plain))
        else {
            continue;
        };
        // A date is text that comes as JSON.
        if vector.sent_json.is_some() || vector.name == "push-date" {
            continue;
        }
        let values: Vec<_> = args.iter().map(value).collect();
        assert_eq!(
            wire(&Message::new(&values).unwrap()),
            vector.bytes(),
            "{}",
            vector.name
        );
        checked += 1;
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn unpaired_surrogates_are_replaced() {
    let mut kinds = Vec::new();
    for vector in Vector::sound()
        .iter()
        .filter(|vector| vector.lone_surrogate)
    {
        let message = &decode(vector, &[&vector.bytes()])[0];
        let arg = message.get(0).unwrap();
        assert!(
            arg.to_value().unwrap().to_string().contains('\u{fffd}'),
            "{}",
            vector.name
        );
        assert_eq!(
            Message::new(&arg).unwrap(),
            *message,
            "it can be sent on as it came"
        );
        kinds.push(arg.kind());
    }
    assert_eq!(kinds, [Kind::Str, Kind::Json, Kind::Str, Kind::Json]);
}

/// What Node's encoder makes by mistake cannot be made here.
#[test]
fn quirks_are_refused() {
    let quirks: Vec<_> = Vector::all()
        .into_iter()
        .filter(|vector| vector.quirk)
        .collect();
    assert_eq!(quirks.len(), 16);
    for quirk in quirks {
        let sent = quirk
            .sent_json
            .as_ref()
            .expect("a quirk says what was sent");
        let values: Vec<_> = sent.iter().map(value).collect();
        match quirk.name.as_str() {
            "quirk-zero-args" => {
                assert!(matches!(Message::new(&values), Err(EncodeError::NoArgs)));
                let message = &decode(&quirk, &[&quirk.bytes()])[0];
                assert!(message.is_empty(), "but it is read");
            }
            "quirk-args-16" | "quirk-args-17" | "quirk-args-32" => {
                assert!(matches!(
                    Message::new(&values),
                    Err(EncodeError::TooManyArgs)
                ));
            }
            "quirk-empty-buffer-last" => {
                let message = Message::new(&Bytes::new()).unwrap();
                assert_eq!(wire(&message), quirk.bytes(), "a frame like any other");
                assert_eq!(decode(&quirk, &[&quirk.bytes()]), [message]);
            }
            // Text that is no JSON.
            "quirk-function-arg" | "quirk-symbol-arg" => {
                assert!(matches!(
                    Message::new(&Raw("j:undefined")),
                    Err(EncodeError::Json(_))
                ));
                let message = &decode(&quirk, &[&quirk.bytes()])[0];
                assert!(message.get(0).unwrap().to_value().is_err());
                assert_eq!(message.get(1).unwrap().text().unwrap(), "x");
            }
            // Node cannot write it as JSON; here it is a number.
            "quirk-bigint-arg" => {
                let message = Message::new(&Json(u64::MAX)).unwrap();
                assert_eq!(message.get(0).and_then(Arg::json::<u64>).unwrap(), u64::MAX);
            }
            other => panic!("nobody knows {other}"),
        }
    }
}

#[test]
fn subscriptions_deliver_what_node_delivered() {
    let mut checked = 0;
    for vector in Vector::sound() {
        let (Some(patterns), Some(delivered)) = (&vector.subscriptions, vector.delivered) else {
            continue;
        };
        let message = &decode(&vector, &[&vector.bytes()])[0];
        let topic = message.get(0).unwrap().topic();
        let matches = patterns
            .iter()
            .any(|pattern| Pattern::new(pattern).is_match(&topic));
        assert_eq!(matches, delivered, "{} of {}", vector.name, vector.package);
        checked += 1;
    }
    assert_eq!(checked, 14);
}

#[test]
fn listeners_get_captures_and_arguments() {
    let mut checked = 0;
    for vector in Vector::sound() {
        let (Some(listeners), Some(calls)) = (&vector.listeners, &vector.listener_calls) else {
            continue;
        };
        let message = &decode(&vector, &[&vector.bytes()])[0];
        let topic = message.get(0).unwrap().topic();
        let mut made = Vec::new();
        for listener in listeners {
            if let Some(captures) = Pattern::new(listener).captures(&topic) {
                let captures = captures.into_iter().map(Value::from);
                let args = message.iter().skip(1).map(|arg| arg.to_value().unwrap());
                made.push((listener.clone(), captures.chain(args).collect::<Vec<_>>()));
            }
        }
        let expected: Vec<_> = calls
            .iter()
            .map(|(listener, args)| (listener.clone(), args.iter().map(value).collect()))
            .collect();
        assert_eq!(made, expected, "{}", vector.name);
        checked += 1;
    }
    assert_eq!(checked, 12);
}

#[test]
fn groups_are_all_there() {
    let groups: BTreeSet<_> = Vector::all()
        .into_iter()
        .map(|vector| vector.group)
        .collect();
    let expected = [
        "emitter", "pm2-bus", "pm2-rpc", "pubsub", "push", "quirk", "reqrep", "rpc", "stream",
    ];
    assert_eq!(groups, expected.map(str::to_owned).into());
}

#[test]
fn every_topic_vector_matches() {
    #[derive(Deserialize)]
    struct Match {
        topic: String,
        captures: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Patterns {
        pattern: String,
        matches: Vec<Match>,
        not_matching: Vec<String>,
    }
    let text = include_str!("vectors/axon_topic_vectors.json");
    let patterns: Vec<Patterns> = serde_json::from_str(text).unwrap();
    assert_eq!(patterns.len(), 27);
    let mut pairs = 0;
    for patterns in patterns {
        let pattern = Pattern::new(&*patterns.pattern);
        for Match { topic, captures } in patterns.matches {
            let found = pattern.captures(&topic).expect("it matches");
            assert_eq!(found, captures, "{pattern} on {topic:?}");
            pairs += 1;
        }
        for topic in patterns.not_matching {
            assert!(!pattern.is_match(&topic), "{pattern} on {topic:?}");
            pairs += 1;
        }
    }
    // All but the character that JavaScript splits for `**`.
    assert_eq!(pairs, 27 * 46 - 1);
}
