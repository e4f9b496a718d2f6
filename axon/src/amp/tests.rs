use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::fuzzing;

const NO_LIMITS: Limits = Limits {
    arg: usize::MAX,
    message: usize::MAX,
};

/// A message with these arguments.
fn message(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![meta(args.len())];
    for arg in args {
        bytes.extend_from_slice(&u32::try_from(arg.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(arg);
    }
    bytes
}

fn next(decoder: &mut Decoder, mut input: &[u8]) -> Option<Vec<u8>> {
    let cut = decoder.next(&mut input).unwrap();
    let whole = cut.map(|cut| cut.as_ref().to_vec());
    assert!(input.is_empty() || whole.is_some());
    whole
}

#[test]
fn a_message_ends_with_its_last_argument() {
    for args in 0..=MAX_ARGS {
        let bytes = message(&vec![b"j:1".to_vec(); args]);
        let size = bytes.len();
        let followed = [bytes.as_slice(), b"\x11more"].concat();
        assert_eq!(
            walk(&followed, &NO_LIMITS),
            Ok(Walk::Whole(size)),
            "{args} arguments"
        );
        for cut in 0..size {
            let Ok(Walk::Partial(needed)) = walk(&bytes[..cut], &NO_LIMITS) else {
                panic!("{cut} bytes of {size} are not all");
            };
            assert!(
                cut < needed && needed <= size,
                "{needed} is more than {cut}, at most {size}"
            );
        }
    }
}

#[test]
fn a_message_without_arguments_is_there_at_once() {
    let mut decoder = Decoder::new(Limits::default());
    let mut input: &[u8] = b"\x10\x11\0\0\0\x01x";
    assert_eq!(decoder.next(&mut input), Ok(Some(Cut::Lent(b"\x10"))));
    assert_eq!(
        decoder.next(&mut input),
        Ok(Some(Cut::Lent(b"\x11\0\0\0\x01x")))
    );
    assert_eq!(decoder.next(&mut input), Ok(None));
}

#[test]
fn an_empty_last_argument_is_there_at_once() {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(
        next(&mut decoder, b"\x11\0\0\0\0").unwrap(),
        b"\x11\0\0\0\0"
    );
    assert_eq!(next(&mut decoder, b"\x12\0\0\0\0\0\0"), None);
    assert_eq!(
        next(&mut decoder, b"\0\0").unwrap(),
        b"\x12\0\0\0\0\0\0\0\0"
    );
}

#[test]
fn any_version_is_read() {
    for version in 0..16u8 {
        let bytes = [version << 4 | 1, 0, 0, 0, 1, b'x'];
        assert_eq!(
            walk(&bytes, &NO_LIMITS),
            Ok(Walk::Whole(6)),
            "version {version}"
        );
    }
}

#[test]
fn what_is_announced_must_be_within_the_limits() {
    let limits = Limits {
        arg: 10,
        message: 26,
    };
    let of = |sizes: &[usize]| {
        let args: Vec<_> = sizes.iter().map(|&size| vec![b'x'; size]).collect();
        walk(&message(&args), &limits)
    };
    assert_eq!(of(&[10]), Ok(Walk::Whole(15)));
    assert_eq!(of(&[11]), Err(LimitError::Arg(11)));
    assert_eq!(of(&[10, 7]), Ok(Walk::Whole(26)));
    assert_eq!(of(&[10, 8]), Err(LimitError::Message(27)));
    // The lengths that are still to come count too: it does not wait for them.
    assert_eq!(walk(b"\x17", &limits), Err(LimitError::Message(29)));
    assert_eq!(
        walk(b"\x13\0\0\0\x0a", &limits),
        Ok(Walk::Partial(23)),
        "a length of its own, ten bytes and two lengths"
    );
    assert_eq!(
        walk(b"\x11\xff\xff\xff\xff", &limits),
        Err(LimitError::Arg(u32::MAX.into()))
    );
    let largest = Walk::Partial(u32::MAX as usize + 5);
    assert_eq!(walk(b"\x11\xff\xff\xff\xff", &NO_LIMITS), Ok(largest));
}

#[test]
fn a_decoder_that_failed_stays_failed_and_keeps_nothing() {
    let limits = Limits {
        arg: 3,
        message: 100,
    };
    let mut decoder = Decoder::new(limits);
    assert_eq!(next(&mut decoder, b"\x12\0\0\0\x03abc\0\0"), None);
    assert_eq!(
        decoder.next(&mut b"\0\x04".as_slice()),
        Err(LimitError::Arg(4))
    );
    assert_eq!(
        decoder.next(&mut b"\x10".as_slice()),
        Err(LimitError::Arg(4))
    );
    assert_eq!(decoder.partial.capacity(), 0);
    assert_eq!(decoder.space(), None);
}

/// What is only announced takes no memory.
#[test]
fn memory_grows_with_what_arrives() {
    let mut decoder = Decoder::new(NO_LIMITS);
    assert_eq!(next(&mut decoder, b"\x11\xff\xff\xff\xf0"), None);
    let mut arrived = 5;
    for _ in 0..200 {
        let space = decoder.space().expect("much is missing");
        let n = space.len().min(10_000);
        assert!(
            space.len() <= arrived.max(SPACE_MIN),
            "{} after {arrived}",
            space.len()
        );
        space[..n].fill(b'x');
        decoder.filled(n);
        arrived += n;
        assert!(decoder.partial.capacity() <= 3 * arrived + 2 * SPACE_MIN);
    }
}

/// A body in drops does not have all of it looked through or zeroed for each.
#[test]
fn space_is_made_seldom() {
    let mut decoder = Decoder::new(NO_LIMITS);
    assert_eq!(next(&mut decoder, b"\x11\0\x40\0\0"), None);
    let mut made = 0;
    let mut room = 0;
    for _ in 0..10_000 {
        let space = decoder.space().expect("much is missing");
        made += usize::from(space.len() > room);
        space[..10].fill(b'x');
        room = space.len() - 10;
        decoder.filled(10);
    }
    assert!(made < 10, "{made} times");
}

#[test]
fn a_large_argument_is_read_where_it_stays() {
    let args = [vec![b'a'; 300_000], b"s:x".to_vec(), vec![b'b'; 200_000]];
    let bytes = message(&args);
    let mut decoder = Decoder::new(Limits::default());
    let mut rest = bytes.as_slice();
    let mut begin = &rest[..100];
    rest = &rest[100..];
    assert_eq!(decoder.next(&mut begin), Ok(None));
    let mut direct = 0;
    let whole = loop {
        if let Some(space) = decoder.space() {
            let n = space.len().min(rest.len());
            space[..n].copy_from_slice(&rest[..n]);
            rest = &rest[n..];
            decoder.filled(n);
            direct += n;
            if let Some(Cut::Whole(whole)) = decoder.next(&mut b"".as_slice()).unwrap() {
                break whole;
            }
        } else {
            let n = rest.len().min(1000);
            let mut input = &rest[..n];
            rest = &rest[n..];
            if let Some(Cut::Whole(whole)) = decoder.next(&mut input).unwrap() {
                break whole;
            }
        }
    };
    assert!(whole == bytes && rest.is_empty());
    assert!(direct > 300_000, "only {direct} bytes were read directly");
    assert!(!decoder.is_partial());
}

proptest! {
    #[test]
    fn slices_do_not_matter(
        messages in vec(vec(vec(any::<u8>(), 0..20), 0..=MAX_ARGS), 0..8),
        cuts in vec(1..50_usize, 1..20),
    ) {
        let messages: Vec<_> = messages.iter().map(|args| message(args)).collect();
        let stream = messages.concat();
        let mut decoder = Decoder::new(Limits::default());
        let mut cut = Vec::new();
        let mut rest = stream.as_slice();
        for &size in cuts.iter().cycle() {
            let (mut slice, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            while let Some(message) = decoder.next(&mut slice).unwrap() {
                cut.push(message.as_ref().to_vec());
            }
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(cut, messages);
        prop_assert!(!decoder.is_partial());
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        fuzzing::amp(&bytes);
    }

    /// Lengths that are mostly small, so that messages come to an end.
    #[test]
    fn any_bytes_of_small_lengths(
        messages in vec((any::<u8>(), vec((0..4_u8, vec(any::<u8>(), 0..4)), 0..20)), 0..10),
    ) {
        let mut bytes = Vec::new();
        for (meta, args) in messages {
            bytes.push(meta);
            for (length, arg) in args {
                bytes.extend_from_slice(&[0, 0, 0, length]);
                bytes.extend_from_slice(&arg);
            }
        }
        fuzzing::amp(&bytes);
    }
}
