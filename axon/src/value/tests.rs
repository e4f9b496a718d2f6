use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::amp::MAX_ARGS;
use crate::fuzzing;

/// The one argument that `arg` becomes, as on the wire.
fn wire(arg: impl ToArg) -> Vec<u8> {
    let message = Message::new(&arg).unwrap();
    message.get(0).unwrap().as_wire().to_vec()
}

#[test]
fn arguments_have_the_prefix_of_their_kind() {
    assert_eq!(wire("hello"), b"s:hello");
    assert_eq!(wire(""), b"s:");
    assert_eq!(wire(String::from("é")), "s:é".as_bytes());
    assert_eq!(wire(42), b"j:42");
    assert_eq!(wire(-7_i64), b"j:-7");
    assert_eq!(wire(1.5), b"j:1.5");
    assert_eq!(wire(true), b"j:true");
    assert_eq!(wire(None::<&str>), b"j:null");
    assert_eq!(wire(Some("x")), b"s:x");
    assert_eq!(
        wire(json!({"b": 1, "a": [null]})),
        br#"j:{"b":1,"a":[null]}"#
    );
    assert_eq!(wire(json!("text")), b"s:text");
    assert_eq!(wire(Json("text")), br#"j:"text""#);
    assert_eq!(wire(b"\x01\x02"), b"\x01\x02");
    assert_eq!(wire(Bytes::new()), b"");
    assert_eq!(wire(Value::NULL), b"j:null");
}

#[test]
fn numbers_that_json_does_not_have_are_null() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(wire(number), b"j:null");
        assert_eq!(wire(Json([number])), b"j:[null]");
    }
}

#[test]
fn a_message_has_one_to_fifteen_arguments() {
    let nulls = vec![Value::NULL; 15];
    assert_eq!(Message::new(&nulls).unwrap().len(), 15);
    let refused = Message::new(&vec![Value::NULL; 16]);
    assert!(matches!(refused, Err(EncodeError::TooManyArgs)));
    assert!(matches!(Message::new(&()), Err(EncodeError::NoArgs)));
    assert!(matches!(
        Message::new(&[] as &[Value]),
        Err(EncodeError::NoArgs)
    ));
    let text = EncodeError::NoArgs.to_string();
    assert_eq!(text, "a message must have an argument; null will do");
}

#[test]
fn bytes_that_would_not_arrive_as_bytes_are_refused() {
    for bytes in [&b"s:"[..], b"s:x", b"j:", b"j:1"] {
        let refused = Message::new(bytes);
        assert!(
            matches!(refused, Err(EncodeError::AmbiguousBytes)),
            "{bytes:?}"
        );
    }
    for bytes in [&b"s"[..], b"j", b"", b"S:x", b"i:1", b" s:"] {
        assert_eq!(wire(bytes), bytes);
    }
}

#[test]
fn raw_bytes_are_sent_as_they_are_unless_they_are_broken_json() {
    assert_eq!(wire(Raw(b"s:x")), b"s:x");
    assert_eq!(wire(Raw(b"j:[1, 2]")), b"j:[1, 2]");
    assert_eq!(wire(Raw("j:\"\\ud800\"")), b"j:\"\\ud800\"");
    for broken in ["j:", "j:undefined", "j:{", "j:1 2", "j:[1,]"] {
        assert!(
            matches!(Message::new(&Raw(broken)), Err(EncodeError::Json(_))),
            "{broken}"
        );
    }
}

#[test]
fn what_cannot_be_written_leaves_no_trace() {
    let mut encoder = Encoder::new();
    encoder.str("first").unwrap();
    // A key that is no text, after a part that was written.
    let unwritable: Vec<HashMap<(u8, u8), u8>> = vec![HashMap::new(), [((1, 2), 3)].into()];
    assert!(matches!(
        encoder.json(&unwritable),
        Err(EncodeError::Json(_))
    ));
    assert!(encoder.bytes(b"s:").is_err());
    encoder.str("second").unwrap();
    assert_eq!(
        encoder.finish().unwrap(),
        b"\x12\0\0\0\x07s:first\0\0\0\x08s:second"
    );
}

#[test]
fn an_encoder_is_used_again() {
    let mut encoder = Encoder::new();
    encoder.args(&("a", 1)).unwrap();
    encoder.clear();
    assert!(encoder.finish().is_err());
    encoder.args(&"b").unwrap();
    assert_eq!(*encoder.finish_msg().unwrap(), *b"\x11\0\0\0\x03s:b");
    encoder.clear();
    encoder.args(&"x".repeat(10_000)).unwrap();
    let taken = std::mem::take(encoder.finish_msg().unwrap());
    assert_eq!(taken.len(), 10_007);
    encoder.clear();
    assert!(matches!(encoder.finish_msg(), Err(EncodeError::NoArgs)));
    // Sent or not, nothing is left of a large one.
    encoder.args(&"y".repeat(10_000)).unwrap();
    assert_eq!(encoder.finish_msg().unwrap().len(), 10_007);
    encoder.clear();
    encoder.args(&"b").unwrap();
    assert_eq!(*encoder.finish_msg().unwrap(), *b"\x11\0\0\0\x03s:b");
}

#[test]
fn text_is_read_however_it_comes() {
    let message = Message::new(&("text", Json("text"), 1, b"text")).unwrap();
    assert_eq!(message.get(0).unwrap().text().unwrap(), "text");
    assert_eq!(message.get(1).unwrap().text().unwrap(), "text");
    assert!(matches!(
        message.get(2).unwrap().text(),
        Err(DecodeError::Json(_))
    ));
    let refused = message.get(3).unwrap().text().unwrap_err();
    assert_eq!(refused.to_string(), "the argument is bytes, not a string");
    let missing = message.get(4).unwrap_err();
    assert_eq!(missing.to_string(), "the message has no argument 4");
}

#[test]
fn a_message_is_read_as_a_tuple() {
    #[derive(Deserialize, PartialEq, Debug)]
    struct Login {
        name: String,
        age: Option<u8>,
    }
    #[derive(Deserialize, PartialEq, Debug)]
    #[serde(rename_all = "lowercase")]
    enum Verb {
        Login,
    }
    let message = Message::new(&("login", json!({"name": "tobi", "age": 2}), "more")).unwrap();
    let (verb, login): (Verb, Login) = message.parse().unwrap();
    assert_eq!(
        (verb, login.name.as_str(), login.age),
        (Verb::Login, "tobi", Some(2))
    );
    let (text,): (Option<String>,) = message.parse().unwrap();
    assert_eq!(text.as_deref(), Some("login"));
    let missing = message.parse::<(Verb, Login, String, u8)>();
    assert!(matches!(missing, Err(DecodeError::Missing(3))));
    assert!(matches!(
        message.parse::<(u8,)>(),
        Err(DecodeError::Json(_))
    ));
}

#[test]
fn bytes_are_read_as_bytes() {
    let message = Message::new(&("x", b"abc", [7_u8; 2], Bytes::new())).unwrap();
    let (_, bytes, pair, empty): (String, Vec<u8>, [u8; 2], Option<Bytes>) =
        message.parse().unwrap();
    assert_eq!(
        (bytes.as_slice(), pair, empty),
        (&b"abc"[..], [7, 7], Some(Bytes::new()))
    );
    let (_, bytes): (String, Bytes) = message.parse().unwrap();
    assert_eq!(bytes, "abc");
    let arg = message.get(1).unwrap();
    for refused in [
        arg.parse::<u8>().map(drop),
        arg.parse::<[u8; 2]>().map(drop),
        arg.parse::<serde_json::Value>().map(drop),
    ] {
        assert!(matches!(refused, Err(DecodeError::Json(_))), "{refused:?}");
    }
    let refused = arg.json::<Vec<u8>>().unwrap_err();
    assert_eq!(refused.to_string(), "the argument is bytes, not JSON");
    assert_eq!(Arg::new(b"j:[1,2]").parse::<Vec<u8>>().unwrap(), [1, 2]);
}

#[test]
fn unpaired_surrogates_are_read_as_replacement_characters() {
    let read = |json: &str| from_json::<serde_json::Value>(json.as_bytes()).unwrap();
    assert_eq!(read(r#""\ud800""#), json!("\u{fffd}"));
    assert_eq!(read(r#""a\uDFFFb""#), json!("a\u{fffd}b"));
    assert_eq!(read(r#""\ud83d\ude80""#), json!("🚀"));
    assert_eq!(
        read(r#""\ud83d\ud83d\ude80\ude80""#),
        json!("\u{fffd}🚀\u{fffd}")
    );
    assert_eq!(read(r#""\ud800\\ud800""#), json!("\u{fffd}\\ud800"));
    assert_eq!(read(r#""\\\ud800\n\u0041""#), json!("\\\u{fffd}\nA"));
    assert_eq!(
        read(r#"{"\udc00":["\ud800é"]}"#),
        json!({"\u{fffd}": ["\u{fffd}é"]})
    );
}

#[test]
fn broken_json_is_an_error_and_stays_readable() {
    for broken in [
        "\"\\ud800",
        "\"\\ud8",
        "\\",
        "\"\\",
        "undefined",
        "\"\\ud800\\é\"",
        "",
        "[[",
    ] {
        let message = Message::from_bytes(
            [
                b"\x11\0\0\0",
                &[broken.len() as u8 + 2][..],
                b"j:",
                broken.as_bytes(),
            ]
            .concat(),
        );
        let message = message.unwrap();
        let arg = message.get(0).unwrap();
        assert!(
            matches!(arg.to_value(), Err(DecodeError::Json(_))),
            "{broken}"
        );
        assert_eq!(arg.as_bytes(), broken.as_bytes());
        assert_eq!(arg.topic(), broken);
    }
}

/// It is JSON, which Node reads as infinity: it is not read here, and may be sent on.
#[test]
fn a_number_that_no_double_is() {
    let arg = Arg::new(b"j:1e999");
    assert!(matches!(arg.to_value(), Err(DecodeError::Json(_))));
    assert_eq!(wire(arg), b"j:1e999");
    fuzzing::value(arg.as_wire());
}

/// Brackets without end do not take the stack.
#[test]
fn json_is_not_nested_without_bound() {
    let nested = "j:".to_owned() + &"[".repeat(1_000_000);
    let arg = Arg::new(nested.as_bytes());
    assert!(matches!(arg.to_value(), Err(DecodeError::Json(_))));
    assert!(Message::new(&Raw(nested)).is_err());
}

#[test]
fn strings_that_are_no_utf8_are_read_with_replacement_characters() {
    assert_eq!(Arg::new(b"s:a\xffb").text().unwrap(), "a\u{fffd}b");
    assert_eq!(Arg::new(b"j:\"a\xffb\"").text().unwrap(), "a\u{fffd}b");
    assert_eq!(Arg::new(b"a\xffb").topic(), "a\u{fffd}b");
}

/// `String(x)` of Node for each.
#[test]
fn topics_are_what_javascript_prints() {
    for (wire, topic) in [
        (&b"s:user"[..], "user"),
        (b"user", "user"),
        (b"j:5", "5"),
        (b"j:1.0", "1"),
        (b"j:-0.5", "-0.5"),
        (b"j:1e21", "1e+21"),
        (b"j:123456789012345680000", "123456789012345680000"),
        (b"j:9007199254740993", "9007199254740992"),
        (b"j:1e-7", "1e-7"),
        (b"j:-0", "0"),
        (b"j:null", "null"),
        (b"j:true", "true"),
        (b"j:\"text\"", "text"),
        (b"j:[\"a\",1,null,[2,[3]],{}]", "a,1,,2,3,[object Object]"),
        (b"j:[]", ""),
        (b"j:{\"a\":1}", "[object Object]"),
    ] {
        assert_eq!(Arg::new(wire).topic(), topic, "{}", wire.escape_ascii());
    }
}

#[test]
fn a_message_loses_its_ends() {
    let mut message = Message::new(&("a", 1, "id")).unwrap();
    let whole = message.clone();
    assert_eq!(message.pop().unwrap(), "s:id");
    message.shift();
    assert_eq!(message.to_values().unwrap(), [Value::from(1)]);
    assert_eq!(
        Message::new(&message).unwrap().len(),
        1,
        "what is left is sent on"
    );
    message.shift();
    message.shift();
    assert!(message.is_empty() && message.pop().is_none() && message.get(0).is_err());
    assert_ne!(message, whole);
    assert_eq!(format!("{whole:?}"), r#"["a", 1, "id"]"#);
}

#[test]
fn only_a_whole_message_is_a_message() {
    assert!(Message::from_bytes(b"\x11\0\0\0\x01x").is_some());
    assert!(Message::from_bytes(b"\x10").is_some_and(|message| message.is_empty()));
    assert!(Message::from_bytes(b"").is_none());
    assert!(Message::from_bytes(b"\x11\0\0\0\x02x").is_none());
    assert!(Message::from_bytes(b"\x11\0\0\0\x01xy").is_none());
}

/// Any JSON.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Into::into),
            vec((any::<String>(), inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::Str),
        any_json().prop_map(Value::Json),
        vec(any::<u8>(), 0..20)
            .prop_filter("bytes", |bytes| Arg::new(bytes).kind() == Kind::Bytes)
            .prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn values_come_back(values in vec(any_value(), 1..=MAX_ARGS)) {
        let message = Message::new(&values).unwrap();
        prop_assert_eq!(message.to_values().unwrap(), values);
        let on_the_wire = message.clone().into_wire();
        prop_assert_eq!(Message::from_bytes(on_the_wire), Some(message));
    }

    #[test]
    fn json_with_surrogates_can_be_read(
        parts in vec(prop_oneof![
            Just(r"\ud800".to_owned()),
            Just(r"\udc00".to_owned()),
            Just(r"\\".to_owned()),
            Just(r"\n".to_owned()),
            Just(r"\u0041".to_owned()),
            "[a-dué]",
        ], 0..10),
    ) {
        let json = format!("\"{}\"", parts.concat());
        let units = json_units(&parts.concat());
        let text: String = from_json(json.as_bytes()).unwrap();
        prop_assert_eq!(text, String::from_utf16_lossy(&units));
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..50)) {
        fuzzing::value(&bytes);
    }

    #[test]
    fn any_json_text(text in "[sj]:[\\[\\]{}\",:0-9a-f\\\\ue+. -]{0,20}") {
        fuzzing::value(text.as_bytes());
    }
}

/// The UTF-16 that an escaped text says.
fn json_units(mut text: &str) -> Vec<u16> {
    let mut units = Vec::new();
    while !text.is_empty() {
        let (unit, len) = match text.as_bytes() {
            [b'\\', b'u', ..] => (u16::from_str_radix(&text[2..6], 16).unwrap(), 6),
            [b'\\', b'n', ..] => (u16::from(b'\n'), 2),
            [b'\\', other, ..] => (u16::from(*other), 2),
            _ => {
                let first = text.chars().next().unwrap();
                (first as u16, first.len_utf8())
            }
        };
        units.push(unit);
        text = &text[len..];
    }
    units
}
