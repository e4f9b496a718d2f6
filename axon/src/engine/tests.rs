//! The engine alone: messages in and out, however the stream is sliced, and whatever comes.

use proptest::collection::vec;
use proptest::prelude::*;

use ferrozmq::protocol::append;

use super::*;

const SMALL: Limits = Limits {
    arg: 100_000,
    message: 150_000,
};

fn engine() -> AmpEngine {
    let mut engine = AmpEngine::new(SMALL, Some("127.0.0.1".into()));
    assert!(!engine.wants_messages(), "the peer comes first");
    match engine.handle_input(&mut &[][..], 1, Instant::now()) {
        Some(Event::Ready(peer)) => {
            assert!(peer.iter().eq([("Peer-Address", &b"127.0.0.1"[..])]));
        }
        other => panic!("{other:?}"),
    }
    engine
}

fn message(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0x10 | u8::try_from(args.len()).unwrap()];
    for arg in args {
        bytes.extend_from_slice(&u32::try_from(arg.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(arg);
    }
    bytes
}

/// What comes out of the engine: messages, and whether it failed.
#[derive(Default)]
struct Outcome {
    messages: Vec<Vec<u8>>,
    failed: bool,
}

fn hear(engine: &mut AmpEngine, mut input: &[u8], room: u64, outcome: &mut Outcome) {
    let before = input;
    while let Some(event) = engine.handle_input(&mut input, room, Instant::now()) {
        assert!(!outcome.failed, "something comes after the failure");
        match event {
            Event::Run(run) => {
                let taken = &before[..before.len() - input.len()];
                let count = outcome.messages.len();
                let messages = engine.run(taken, run).to_frames();
                outcome.messages.extend(messages.map(|msg| msg.to_vec()));
                let count = (outcome.messages.len() - count) as u64;
                assert_eq!(count, run.messages);
                assert!((1..=room).contains(&count));
            }
            Event::Message(msg) => outcome.messages.push(msg.to_vec()),
            Event::Failed(_) => outcome.failed = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(input.is_empty(), "all input is taken");
}

fn sliced(stream: &[u8], sizes: &[usize], room: u64) -> Outcome {
    let (mut engine, mut outcome) = (engine(), Outcome::default());
    let (mut rest, mut sizes) = (stream, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap_or(&1)));
        hear(&mut engine, piece, room, &mut outcome);
        rest = behind;
    }
    outcome
}

/// Sends all that the engine has, at most `step` bytes at a time.
fn sent(engine: &mut AmpEngine, step: usize) -> Vec<u8> {
    let mut sent = Vec::new();
    while !engine.is_drained() {
        let mut slices = [IoSlice::new(&[]); 3];
        let n = engine.poll_transmit(&mut slices);
        let shown: Vec<u8> = slices[..n]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect();
        assert!(!shown.is_empty(), "something is pending and not shown");
        let n = step.min(shown.len());
        sent.extend_from_slice(&shown[..n]);
        engine.handle_sent(n);
    }
    sent
}

#[test]
fn a_stream_is_cut_the_same_wherever_it_is_split() {
    let messages = [
        message(&[b"s:hello".to_vec()]),
        message(&[]),
        message(&[vec![], b"j:1".to_vec(), vec![]]),
        message(&[vec![7; 300]]),
        message(&[b"last".to_vec(), vec![]]),
    ];
    let stream = messages.concat();
    for at in 0..=stream.len() {
        let (mut engine, mut outcome) = (engine(), Outcome::default());
        hear(&mut engine, &stream[..at], 10, &mut outcome);
        hear(&mut engine, &stream[at..], 10, &mut outcome);
        assert_eq!(outcome.messages, messages, "split at {at}");
    }
    assert_eq!(sliced(&stream, &[1], 1).messages, messages);
}

#[test]
fn the_version_in_the_first_byte_does_not_matter() {
    for version in [0x00, 0x20, 0xF0] {
        let mut odd = message(&[b"s:x".to_vec()]);
        odd[0] = version | 1;
        assert_eq!(sliced(&odd, &[100], 10).messages, [odd.clone()]);
    }
}

#[test]
fn a_large_message_is_read_where_it_stays() {
    let large = message(&[vec![7; 90_000]]);
    let (mut engine, mut outcome) = (engine(), Outcome::default());
    let (mut head, mut rest) = large.split_at(1000);
    assert!(engine.body_space().is_none());
    hear(&mut engine, head, 10, &mut outcome);
    while let Some(space) = engine.body_space() {
        let n = space.len().min(rest.len()).min(5000);
        (head, rest) = rest.split_at(n);
        space[..n].copy_from_slice(head);
        engine.handle_body(n, Instant::now());
        hear(&mut engine, &[], 10, &mut outcome);
    }
    hear(&mut engine, rest, 10, &mut outcome);
    assert_eq!(outcome.messages, [large]);
}

#[test]
fn what_is_larger_than_the_limits_fails_before_it_comes() {
    let argument = [&[0x11][..], &100_001_u32.to_be_bytes()].concat();
    let half = message(&[vec![7; 75_001]]);
    let sum = [&[0x12][..], &half[1..], &half[1..5]].concat();
    let endless = [0x1F, 0xFF, 0xFF, 0xFF, 0xFF];
    for stream in [&argument[..], &sum, &endless] {
        for size in [1, 1000, 1_000_000] {
            let outcome = sliced(stream, &[size], 10);
            assert!(outcome.failed && outcome.messages.is_empty());
        }
    }
}

#[test]
fn what_came_before_a_failure_is_delivered_and_nothing_behind_it() {
    let good = message(&[b"s:x".to_vec()]);
    let stream = [&good[..], &[0x11, 0xFF, 0, 0, 0], &good].concat();
    let outcome = sliced(&stream, &[1000], 10);
    assert_eq!((outcome.messages, outcome.failed), (vec![good], true));
}

#[test]
fn messages_that_are_announced_take_no_memory() {
    let mut engine = engine();
    let mut outcome = Outcome::default();
    hear(
        &mut engine,
        &[0x11, 0, 1, 0x86, 0xA0, 7, 7],
        10,
        &mut outcome,
    );
    let space = engine.body_space().map_or(0, |space| space.len());
    assert!(space <= 100_000);
}

#[test]
fn no_more_is_taken_than_fits_and_no_more_handed_on_than_there_is_room_for() {
    let mut engine = engine();
    while engine.wants_messages() {
        engine.push(Msg::zeroed(3000));
    }
    assert!(engine.batch.pending() <= BATCH_MAX + 3000);
    let stream = message(&[b"s:x".to_vec()]).repeat(100);
    assert_eq!(sliced(&stream, &[10_000], 7).messages.len(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn messages_come_out_as_they_went_in(
        messages in vec(vec(vec(any::<u8>(), 0..6000), 0..4), 0..12),
        pieces in vec(1..9000usize, 1..9),
        room in 1..9u64,
        step in 1..9000usize,
    ) {
        let messages: Vec<_> = messages.iter().map(|args| message(args)).collect();
        let mut frames = Vec::new();
        let mut sender = engine();
        for message in &messages {
            if message.len() <= COPY_MAX {
                append(&mut frames, message);
            } else {
                sender.push_run(Frames::Keep(std::mem::take(&mut frames).into()));
                sender.push(message.clone().into());
            }
        }
        sender.push_run(Frames::Copy(&frames));
        let stream = sent(&mut sender, step);
        prop_assert_eq!(&stream, &messages.concat());
        prop_assert_eq!(sliced(&stream, &pieces, room).messages, messages);
    }

    #[test]
    fn any_bytes_end_in_messages_or_in_failure_and_slicing_changes_nothing(
        bytes in vec(prop_oneof![4 => 0..3u8, 1 => any::<u8>()], 0..200),
        pieces in vec(1..20usize, 1..5),
    ) {
        let (whole, sliced) = (sliced(&bytes, &[1000], 5), sliced(&bytes, &pieces, 2));
        prop_assert_eq!(whole.messages, sliced.messages);
        prop_assert_eq!(whole.failed, sliced.failed);
    }
}
