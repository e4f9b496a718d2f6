//! What frames look like, and that slicing the stream anyhow changes nothing.

use std::io::IoSlice;

use super::*;
use crate::msg::COPY_MAX;
use proptest::collection::vec;
use proptest::prelude::*;

const UNLIMITED: Limit = Limit {
    size: u64::MAX,
    error: ProtocolError::MessageTooLarge,
};

type Outcome = Result<Option<Frame>, ProtocolError>;

fn encoded(framing: Framing, flags: u8, prefix: &[u8], body: &[u8]) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.push(framing, flags, prefix, body.into());
    take_all(&mut batch, usize::MAX)
}

/// Sends everything, at most `step` bytes at a time.
fn take_all(batch: &mut Batch, step: usize) -> Vec<u8> {
    let mut sent = Vec::new();
    while batch.pending() > 0 {
        let mut slices = [IoSlice::new(&[]); 3];
        let n = batch.poll_transmit(&mut slices);
        let shown: Vec<u8> = slices[..n]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect();
        assert!(!shown.is_empty(), "something is pending and not shown");
        let n = step.min(shown.len());
        sent.extend_from_slice(&shown[..n]);
        batch.handle_sent(n);
    }
    sent
}

fn decode(framing: Framing, bytes: &[u8]) -> Outcome {
    Decoder::new(framing, UNLIMITED).decode(&mut &bytes[..])
}

/// Reads `bytes` in slices of the given sizes, in turn, to body space where there is some; tells
/// what came out, and checks what memory that took.
fn decode_sliced(
    framing: Framing,
    bytes: &[u8],
    sizes: &[usize],
) -> (Vec<Frame>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(framing, UNLIMITED);
    let (mut frames, mut from) = (Vec::new(), 0);
    for size in sizes.iter().cycle() {
        let slice = &bytes[from..bytes.len().min(from + size)];
        from += slice.len();
        let mut input = slice;
        if let Some(space) = decoder.body_space() {
            let n = space.len().min(input.len());
            space[..n].copy_from_slice(&input[..n]);
            input = &input[n..];
            decoder.handle_body(n);
        }
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(input.is_empty(), "all of the input is taken");
        assert!(memory_of(&decoder) <= 2 * from + SPACE_MIN);
        if from == bytes.len() {
            break;
        }
    }
    (frames, None)
}

fn memory_of(decoder: &Decoder) -> usize {
    match &decoder.reading {
        Reading::Head(_) => 0,
        Reading::Body(body) => match &body.memory {
            Memory::None => 0,
            Memory::Whole(msg) => msg.len(),
            Memory::Growing(bytes) => bytes.capacity(),
        },
    }
}

fn seen(frame: &Frame) -> (bool, bool, &[u8]) {
    (frame.is_command, frame.msg.more(), &frame.msg)
}

#[test]
fn new_frames_have_a_short_and_a_long_form() {
    let v2 = |flags, len| encoded(Framing::V2, flags, &[], &vec![b'x'; len]);
    assert_eq!(v2(0, 0), [0, 0]);
    assert_eq!(v2(MORE, 1), [1, 1, b'x']);
    assert_eq!(v2(COMMAND, 255)[..2], [4, 255]);
    assert_eq!(v2(0, 256)[..10], [2, 0, 0, 0, 0, 0, 0, 1, 0, b'x']);
    assert_eq!(v2(MORE, 65536)[..9], [3, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn old_frames_count_the_flags() {
    let v1 = |flags, len| encoded(Framing::V1, flags, &[], &vec![b'x'; len]);
    assert_eq!(v1(0, 0), [1, 0]);
    assert_eq!(v1(MORE, 1), [2, 1, b'x']);
    assert_eq!(v1(0, 253)[..2], [254, 0]);
    assert_eq!(v1(0, 254)[..11], [255, 0, 0, 0, 0, 0, 0, 0, 255, 0, b'x']);
    assert_eq!(v1(MORE, 255)[..10], [255, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
}

#[test]
fn a_prefix_counts_for_the_choice_of_the_form() {
    let frame = encoded(Framing::V2, 0, &[1], &[b'x'; 255]);
    assert_eq!(frame[..11], [2, 0, 0, 0, 0, 0, 0, 1, 0, 1, b'x']);
    let frame = encoded(Framing::V1, 0, &[1], &[b'x'; 253]);
    assert_eq!(frame[..11], [255, 0, 0, 0, 0, 0, 0, 0, 255, 0, 1]);
}

#[test]
fn a_small_body_may_come_in_the_long_form() {
    let frame = decode(Framing::V2, b"\x02\0\0\0\0\0\0\0\x01x")
        .unwrap()
        .unwrap();
    assert_eq!(seen(&frame), (false, false, &b"x"[..]));
    let frame = decode(Framing::V1, b"\xFF\0\0\0\0\0\0\0\x02\x01x")
        .unwrap()
        .unwrap();
    assert_eq!(seen(&frame), (false, true, &b"x"[..]));
}

#[test]
fn unknown_flags_are_ignored() {
    let frame = decode(Framing::V2, b"\xF8\x01x").unwrap().unwrap();
    assert_eq!(seen(&frame), (false, false, &b"x"[..]));
    let frame = decode(Framing::V1, b"\x02\xFEx").unwrap().unwrap();
    assert_eq!(seen(&frame), (false, false, &b"x"[..]));
    let frame = decode(Framing::V2, b"\x05\x01x").unwrap().unwrap();
    assert_eq!(seen(&frame), (true, true, &b"x"[..]), "a command with MORE");
}

#[test]
fn impossible_lengths_are_refused() {
    let malformed = |framing, head: &[u8]| {
        assert_eq!(
            decode(framing, head).unwrap_err(),
            ProtocolError::MalformedMessage,
            "{head:?}"
        );
    };
    malformed(Framing::V1, &[0, 0]);
    malformed(Framing::V1, &[0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for last in [0xD9, 0xDA, 0xFF] {
        let ones = [0xFF; 7];
        malformed(Framing::V1, &[&[0xFF][..], &ones, &[last, 0]].concat());
        malformed(Framing::V2, &[&[2][..], &ones, &[last]].concat());
    }
    malformed(Framing::V2, &[2, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    malformed(Framing::V1, &[0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn the_limit_is_checked_before_memory_is_taken() {
    let limit = Limit {
        size: 10,
        error: ProtocolError::MessageTooLarge,
    };
    let mut decoder = Decoder::new(Framing::V2, limit);
    assert!(
        decoder
            .decode(&mut &b"\x00\x0A0123456789"[..])
            .unwrap()
            .is_some()
    );
    let outcome = decoder.decode(&mut &b"\x00\x0B"[..]);
    assert_eq!(outcome.unwrap_err(), ProtocolError::MessageTooLarge);
    assert_eq!(memory_of(&decoder), 0);
}

#[test]
fn an_announced_body_takes_no_memory_until_it_arrives() {
    let mut decoder = Decoder::new(Framing::V2, UNLIMITED);
    let head = [2, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    assert!(decoder.decode(&mut &head[..]).unwrap().is_none());
    assert_eq!(memory_of(&decoder), 0);
    assert_eq!(decoder.body_space().unwrap().len(), SPACE_MIN);
}

#[test]
fn space_for_a_body_grows_with_what_arrived() {
    const SIZE: usize = 5 << 20;
    let body: Vec<u8> = (0..SIZE).map(|n| n as u8).collect();
    let frame = encoded(Framing::V2, 0, &[], &body);
    let mut decoder = Decoder::new(Framing::V2, UNLIMITED);
    assert!(decoder.decode(&mut &frame[..109]).unwrap().is_none());
    let (mut arrived, mut spaces) = (100, Vec::new());
    while let Some(space) = decoder.body_space() {
        let n = space.len();
        assert!(n <= SPACE_MAX && n <= SIZE - arrived);
        space.copy_from_slice(&body[arrived..][..n]);
        decoder.handle_body(n);
        arrived += n;
        spaces.push(n);
        assert!(memory_of(&decoder) <= 2 * arrived + SPACE_MIN);
    }
    assert!(spaces.len() < 12, "{spaces:?}");
    let got = decoder.decode(&mut &body[arrived..]).unwrap().unwrap();
    assert!(got.msg == body[..]);
    assert!(decoder.body_space().is_none());
}

#[test]
fn space_is_made_once_for_bytes_that_come_one_by_one() {
    let mut decoder = Decoder::new(Framing::V2, UNLIMITED);
    let head = [2, 0, 0, 0, 0, 0, 2, 0, 0, 7];
    assert!(decoder.decode(&mut &head[..]).unwrap().is_none());
    let first = decoder.body_space().unwrap().as_ptr_range();
    for _ in 1..1000 {
        decoder.handle_body(1);
        assert!(decoder.decode(&mut &[][..]).unwrap().is_none());
    }
    let space = decoder.body_space().unwrap().as_ptr_range();
    assert_eq!(space.end, first.end, "not even cleared again");
}

#[test]
fn a_finished_large_body_is_not_copied() {
    let frame = encoded(Framing::V2, 0, &[], &[7; 140_000]);
    let mut decoder = Decoder::new(Framing::V2, UNLIMITED);
    assert!(decoder.decode(&mut &frame[..70_009]).unwrap().is_none());
    let space = decoder.body_space().unwrap();
    assert_eq!(space.len(), 70_000);
    space.fill(7);
    let end = space.as_ptr_range().end;
    decoder.handle_body(70_000);
    let got = decoder.decode(&mut &[][..]).unwrap().unwrap();
    assert_eq!(got.msg.as_ptr_range().end, end);
    assert_eq!(got.msg, [7; 140_000]);
}

#[test]
fn a_body_of_some_size_arrives_where_it_stays() {
    let body: Vec<u8> = (0..SPACE_MIN).map(|n| n as u8).collect();
    let frame = encoded(Framing::V2, MORE, &[], &body);
    let mut decoder = Decoder::new(Framing::V2, UNLIMITED);
    assert!(decoder.decode(&mut &frame[..9]).unwrap().is_none());
    assert_eq!(memory_of(&decoder), 0);
    assert!(decoder.decode(&mut &frame[9..10]).unwrap().is_none());
    assert_eq!(memory_of(&decoder), SPACE_MIN);
    let space = decoder.body_space().unwrap();
    space.copy_from_slice(&body[1..]);
    let end = space.as_ptr_range().end;
    decoder.handle_body(SPACE_MIN - 1);
    let got = decoder.decode(&mut &b"\x00"[..]).unwrap().unwrap();
    assert_eq!(got.msg.as_ptr_range().end, end);
    assert!(got.msg.more() && got.msg == body[..]);
}

#[test]
fn a_large_body_is_sent_from_its_own_memory() {
    let large = Msg::from(vec![7; COPY_MAX + 1]);
    let mut batch = Batch::default();
    batch.push(Framing::V2, 0, &[], "small".into());
    batch.push(Framing::V2, 0, &[], large.clone());
    batch.push(Framing::V2, 0, &[], "small".into());
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(batch.poll_transmit(&mut slices), 3);
    assert_eq!(slices[1].as_ptr(), large.as_ptr());
    assert_eq!(batch.pending(), 7 + 9 + large.len() + 7);
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::V1), Just(Framing::V2)]
}

fn body_len() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..300usize, 2 => 300..10_000usize, 1 => 60_000..200_000usize]
}

/// How the stream is sliced: all small, all large, or anything.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        vec(1..20usize, 1..10),
        vec(1..100_000usize, 1..10),
        vec(1000..2_000_000usize, 1..3),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_come_out_as_they_went_in(
        framing in framing(),
        frames in vec((0..8u8, body_len(), any::<u8>()), 0..12),
        step in prop_oneof![Just(usize::MAX), 1000..100_000usize],
        sizes in sizes(),
    ) {
        let mask = if framing == Framing::V1 { MORE } else { MORE | COMMAND };
        let frames: Vec<_> = frames
            .into_iter()
            .map(|(flags, len, byte)| (flags & mask, vec![byte; len]))
            .collect();
        let mut batch = Batch::default();
        for (flags, body) in &frames {
            batch.push(framing, *flags, &[], Msg::copied(body));
        }
        let bytes = take_all(&mut batch, step);
        let (decoded, error) = decode_sliced(framing, &bytes, &sizes);
        prop_assert_eq!(error, None);
        prop_assert_eq!(decoded.len(), frames.len());
        for (frame, (flags, body)) in decoded.iter().zip(&frames) {
            prop_assert!(seen(frame) == (flags & COMMAND != 0, flags & MORE != 0, &body[..]));
        }
    }

    #[test]
    fn any_bytes_decode_the_same_however_they_are_sliced(
        framing in framing(),
        bytes in vec(prop_oneof![2 => 0..4u8, 1 => any::<u8>()], 0..200),
        sizes in vec(1..12usize, 1..10),
    ) {
        let (whole, whole_error) = decode_sliced(framing, &bytes, &[usize::MAX >> 1]);
        let (sliced, error) = decode_sliced(framing, &bytes, &sizes);
        prop_assert_eq!(error, whole_error);
        prop_assert!(sliced.iter().map(seen).eq(whole.iter().map(seen)));
    }
}
