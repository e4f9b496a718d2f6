//! The form of RFC 23 byte by byte, and runs against a walk frame by frame.

use super::*;
use proptest::prelude::*;

fn encoded(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xEE; head_len(body.len()) + body.len()];
    write(&mut bytes, flags, body);
    bytes
}

#[test]
fn a_short_frame_has_two_bytes_in_front_and_a_long_one_nine() {
    assert_eq!(encoded(0, b"ab"), [0, 2, b'a', b'b']);
    assert_eq!(encoded(MORE, b""), [1, 0]);
    assert_eq!(encoded(0, &[7; 255])[..3], [0, 255, 7]);
    assert_eq!(
        encoded(MORE, &[7; 256])[..10],
        [3, 0, 0, 0, 0, 0, 0, 1, 0, 7]
    );
}

#[test]
fn a_frame_is_found_once_it_is_whole() {
    for size in [0, 1, 255, 256, 4096] {
        let bytes = encoded(MORE, &vec![1; size]);
        for len in 0..bytes.len() {
            assert_eq!(Record::parse(&bytes[..len], COPY_MAX), None);
        }
        let record = Record::parse(&bytes, COPY_MAX).unwrap();
        assert_eq!((record.more, record.end), (true, bytes.len()));
        let mut frame = Msg::from("what was there");
        record.copy_into(&bytes, &mut frame);
        assert_eq!(frame, vec![1; size][..]);
        assert!(frame.more());
    }
}

#[test]
fn commands_large_frames_and_strange_flags_are_not_for_runs() {
    assert_eq!(Record::parse(&encoded(COMMAND, b"PING"), COPY_MAX), None);
    assert_eq!(Record::parse(&encoded(0x80, b""), COPY_MAX), None);
    assert_eq!(Record::parse(&encoded(0, &[0; 100]), 99), None);
    let endless = [2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0];
    assert_eq!(Record::parse(&endless, usize::MAX), None);
}

#[test]
fn only_what_bytes_can_tell_is_plain() {
    assert!(plain(&Msg::from("x"), COPY_MAX).is_some());
    assert!(plain(&Msg::from(vec![0; COPY_MAX]), COPY_MAX).is_some());
    assert!(plain(&Msg::from(vec![0; COPY_MAX + 1]), COPY_MAX).is_none());
    assert!(plain(&Msg::from("topic").of_kind(Kind::Subscribe), COPY_MAX).is_none());
    let mut msg = Msg::from("x");
    msg.set_group("weather").unwrap();
    assert!(plain(&msg, COPY_MAX).is_none());
    let mut msg = Msg::from("x");
    msg.set_routing_id(7).unwrap();
    assert!(plain(&msg, COPY_MAX).is_none());
}

proptest! {
    #[test]
    fn runs_end_where_they_must(
        frames in prop::collection::vec((any::<bool>(), 0..300usize), 0..40),
        cut in 0..4000usize,
        limit in 1..2000usize,
        room in 0..20u64,
    ) {
        let mut bytes = Vec::new();
        for (more, size) in &frames {
            bytes.extend(encoded(u8::from(*more), &vec![9; *size]));
        }
        let bytes = &bytes[..cut.min(bytes.len())];
        let (mut ends, mut at, mut messages) = (vec![(0, 0, false)], 0, 0);
        for (more, size) in &frames {
            at += head_len(*size) + size;
            messages += u64::from(!more);
            if at <= bytes.len() {
                ends.push((at, messages, *more));
            }
        }

        let run = Run::scan(bytes, COPY_MAX, limit, room);
        prop_assert!(ends.contains(&(run.len, run.messages, run.more)));
        prop_assert!(run.messages <= room);
        let next = ends.iter().find(|(end, ..)| *end > run.len);
        prop_assert!(run.len >= limit || run.messages == room || next.is_none());

        let whole = Run::scan_messages(bytes, COPY_MAX, limit, room);
        prop_assert!(ends.contains(&(whole.len, whole.messages, false)));
        let last = ends.iter().rfind(|(end, _, more)| !more && *end <= run.len);
        prop_assert_eq!(last.map(|(end, ..)| *end), Some(whole.len));

        let copied: Vec<_> = super::frames(&bytes[..run.len]).map(|frame| frame.len()).collect();
        prop_assert!(copied.iter().eq(frames[..copied.len()].iter().map(|(_, size)| size)));
    }
}

#[test]
fn bodies_come_out_of_a_run_as_they_were_added() {
    let sizes = [0, 1, 255, 256, COPY_MAX];
    let mut bytes = Vec::new();
    for size in sizes {
        append(&mut bytes, &vec![7; size]);
    }
    let run = Run::scan(&bytes, COPY_MAX, usize::MAX, u64::MAX);
    assert_eq!((run.len, run.messages, run.more), (bytes.len(), 5, false));
    assert!(bodies(&bytes).map(<[u8]>::len).eq(sizes));
}

#[test]
fn what_came_in_is_copied_out_in_either_form() {
    let mut bytes = encoded(MORE, b"");
    bytes.extend(encoded(0, b"tail"));
    let frames: Vec<_> = Received::frames(&bytes).to_frames().collect();
    assert_eq!(frames.len(), 2);
    assert!(frames[0].is_empty() && frames[1] == b"tail");
    assert!(frames[0].more() && !frames[1].more());

    // Each body begins with its length.
    let len = |bytes: &[u8]| bytes.first().map_or(0, |len| usize::from(*len));
    let frames: Vec<_> = Received::bodies(b"\x03ab\x01\x02c", len)
        .to_frames()
        .collect();
    let bodies: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
    assert_eq!(bodies, [&b"\x03ab"[..], b"\x01", b"\x02c"]);
    assert!(frames.iter().all(|frame| !frame.more()));
}

#[test]
fn a_body_that_is_cut_wrong_ends_the_run() {
    for cut in [|_: &[u8]| 0, |_: &[u8]| 4] {
        assert_eq!(Received::bodies(b"abc", cut).to_frames().count(), 0);
    }
}
