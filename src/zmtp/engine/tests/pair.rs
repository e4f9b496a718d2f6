//! Two engines that talk to each other, and one that is told anything; however sliced.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn two_engines_shake_hands_and_talk_whatever_the_slices() {
    for chunk in [1, 2, 3, 7, 10, 11, 12, 63, 64, 65]
        .into_iter()
        .chain([1000, 100_000, 1 << 20])
    {
        let mut pair = Pair::new([PUB, SUB], chunk);
        pair.drive();
        pair.sides[1].push(Msg::from("topic").of_kind(Kind::Subscribe));
        pair.drive();
        let large = vec![7; 300_000];
        let mut first = Msg::from("topic");
        first.set_more(true);
        pair.sides[0].push(first);
        pair.sides[0].push(large.clone());
        pair.drive();
        assert_eq!(
            pair.seen[0],
            [ready(&[("Socket-Type", "SUB")]), subscribe("topic")]
        );
        let received = [
            ready(&[("Socket-Type", "PUB")]),
            part("topic"),
            message(&large),
        ];
        assert!(pair.seen[1] == received, "chunk {chunk}");
    }
}

#[test]
fn two_engines_of_the_same_kind_refuse_each_other() {
    let mut pair = Pair::new([PUSH, PUSH], 7);
    pair.drive();
    let refused = [failed(ProtocolError::IncompatibleSocketType)];
    assert_eq!(pair.seen, [refused.to_vec(), refused.to_vec()]);
}

/// Pieces of which streams are made that get somewhere.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec((0..8u8, vec(any::<u8>(), 0..300)), 0..4).prop_map(|frames| {
            frames
                .iter()
                .flat_map(|(flags, body)| frame(flags & 5, body))
                .collect()
        }),
        vec(any::<u8>(), 0..20),
        Just(frame(4, b"\x04PING\0\x05ctx")),
        Just(frame(4, b"\x09SUBSCRIBEtopic")),
        Just(frame(4, b"\x06CANCELtopic")),
        Just(frame(4, b"\x05ERROR\x03400")),
        Just(frame(1, [7; 70_000])),
        Just(b"\x06\x01hello".to_vec()),
        Just(ready_frame(&[])),
    ]
}

/// How a stream may begin.
fn beginning() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just([greeting(3, 1), ready_frame(&[("Socket-Type", "SUB")])].concat()),
        2 => Just([greeting(3, 0), ready_frame(&[])].concat()),
        1 => Just(greeting(3, 1)),
        1 => Just([SIGNATURE, b"\x01\x02\0\0"].concat()),
        1 => Just([SIGNATURE, b"\0\x02\x01\0"].concat()),
        1 => Just(b"\x01\0".to_vec()),
        1 => Just(b"\xFF\0\0\0\0\0\0\0\x03\0me".to_vec()),
        1 => Just(SIGNATURE.to_vec()),
        1 => Just(vec![]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn slicing_changes_nothing(
        beginning in beginning(),
        pieces in vec(piece(), 0..6),
        sizes in prop_oneof![vec(1..30usize, 1..8), vec(1..50_000usize, 1..8)],
        flip in proptest::option::of((any::<proptest::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes = [beginning, pieces.concat()].concat();
        if let Some((index, byte)) = flip.filter(|_| !bytes.is_empty()) {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let (mut whole, mut sliced) = (Side::new(XPUB), Side::new(XPUB));
        let expected = whole.receive(&bytes);
        prop_assert!(sliced.receive_sliced(&bytes, &sizes) == expected);
        prop_assert_eq!(sliced.sent(), whole.sent());
        let failures = expected.iter().filter(|seen| matches!(seen, Seen::Failed(_)));
        prop_assert!(failures.count() <= 1);
    }
}
