//! Bodies and who owns them, ids, groups, metadata.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn bodies_of_every_size_keep_their_bytes() {
    for len in [0, 1, INLINE_MAX, INLINE_MAX + 1, 1000] {
        let body: Vec<u8> = (0..len).map(|n| n as u8).collect();
        for msg in [
            Msg::copied(&body),
            Msg::from(body.clone()),
            Bytes::from(body.clone()).into(),
        ] {
            assert_eq!(msg.as_bytes(), &body[..]);
            assert_eq!(msg.clone().as_bytes(), &body[..]);
            assert_eq!(msg.into_bytes(), body);
        }
        assert_eq!(Msg::zeroed(len).as_bytes(), vec![0; len]);
    }
}

#[test]
fn a_vector_is_taken_and_not_copied() {
    let body = vec![7u8; 100];
    let at = body.as_ptr();
    assert_eq!(Msg::from(body).as_ptr(), at);
}

#[test]
fn writing_to_one_clone_leaves_the_other_alone() {
    for msg in [
        Msg::copied(&[1; 8]),
        Msg::copied(&[1; 80]),
        Msg::from(vec![1; 80]),
    ] {
        let mut written = msg.clone();
        written.make_mut()[0] = 2;
        assert_eq!((msg[0], written[0]), (1, 2));
    }
}

#[test]
fn foreign_memory_is_freed_once_when_the_last_clone_goes() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    struct Foreign;
    impl AsRef<[u8]> for Foreign {
        fn as_ref(&self) -> &[u8] {
            b"foreign"
        }
    }
    impl Drop for Foreign {
        fn drop(&mut self) {
            FREED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let msg = Msg::from_owner(Foreign);
    let clone = msg.clone();
    drop(msg);
    assert_eq!(
        (&clone[..], FREED.load(Ordering::Relaxed)),
        (&b"foreign"[..], 0)
    );
    drop(clone);
    assert_eq!(FREED.load(Ordering::Relaxed), 1);
}

#[test]
fn groups_and_routing_ids_are_checked() {
    let mut msg = Msg::new();
    assert_eq!((msg.group(), msg.group_cstr()), ("", c""));
    assert!(msg.set_group(&"g".repeat(256)).is_err());
    assert!(msg.set_group("a\0b").is_err());
    msg.set_group("weather").unwrap();
    assert_eq!(msg.group(), "weather");
    assert_eq!(msg.group_cstr(), c"weather");
    assert!(msg.set_routing_id(0).is_err());
    msg.set_routing_id(5).unwrap();
    assert_eq!(msg.routing_id(), 5);
}

#[test]
fn metadata_names_ignore_case_and_the_first_value_stands() {
    let mut metadata = Metadata::new();
    metadata.insert("X-Role", b"one");
    metadata.insert("x-role", b"two");
    let mut msg = Msg::new();
    msg.set_metadata(Some(&Arc::new(metadata)));
    assert_eq!(msg.gets("X-ROLE"), Some("one"));
    assert_eq!(msg.gets("X-Other"), None);
}

#[test]
fn metadata_can_be_had_as_c_strings() {
    let mut metadata = Metadata::new();
    metadata.insert("X-Role", b"one");
    metadata.insert("X-Cut", b"a\0b");
    metadata.insert("X-None", b"");
    let c_string = |name| metadata.get_cstr(name).map(|found| found.to_bytes());
    assert_eq!(c_string("X-Role"), Some(&b"one"[..]));
    assert_eq!(c_string("X-Cut"), Some(&b"a"[..]));
    assert_eq!(c_string("X-None"), Some(&b""[..]));
    assert_eq!(c_string("X-Other"), None);
    assert_eq!(metadata.get("X-Cut"), Some(&b"a\0b"[..]));
    let all: Vec<_> = metadata.iter().map(|(_, value)| value).collect();
    assert_eq!(all, [&b"one"[..], b"a\0b", b""]);
}

#[test]
fn a_body_is_shared_with_clones_and_if_it_is_static() {
    assert!(Msg::from_static(b"static").is_shared());
    for msg in [Msg::copied(&[1; 5000]), Msg::from(vec![1; 80])] {
        assert!(!msg.is_shared());
        let clone = msg.clone();
        assert!(msg.is_shared() && clone.is_shared());
        drop(clone);
        assert!(!msg.is_shared());
    }
}

#[test]
fn a_small_body_is_copied_by_a_clone_unless_it_is_to_be_shared() {
    let mut msg = Msg::copied(&[1; 80]);
    let clone = msg.clone();
    assert!(clone == msg && !msg.is_shared() && !clone.is_shared());
    let place = msg.as_bytes().as_ptr();
    msg.share();
    let clone = msg.clone();
    assert!(msg.is_shared() && clone.is_shared());
    assert_eq!(
        (msg.as_bytes().as_ptr(), clone.as_bytes().as_ptr()),
        (place, place)
    );
}

#[test]
fn the_body_lies_where_its_pointer_says() {
    for mut msg in [
        Msg::copied(&[1; 8]),
        Msg::copied(&[1; 80]),
        Msg::from(vec![1; 80]),
        Msg::from_static(b"static"),
    ] {
        assert_eq!(msg.body_ptr().cast_const(), msg.as_bytes().as_ptr());
        let _clone = msg.clone();
        assert_eq!(msg.body_ptr().cast_const(), msg.as_bytes().as_ptr());
    }
}

#[test]
fn a_message_is_filled_again_as_if_it_were_new() {
    let metadata = Arc::new(Metadata::new());
    for old in [Msg::new(), Msg::from([1; 500]), Msg::from_static(&[2; 500])] {
        for body in [&[3; 0][..], &[3; 5], &[3; INLINE_MAX], &[3; 500]] {
            let mut msg = old.clone().of_kind(Kind::Cancel);
            msg.set_group("g").unwrap();
            msg.set_routing_id(7).unwrap();
            msg.set_uncounted();
            msg.set_metadata(Some(&metadata));
            msg.refill(body, true);
            assert!(msg == *body && msg.more() && msg.kind() == Kind::Data);
            assert!(!msg.has_properties() && msg.metadata().is_some());
            assert!(!msg.is_shared());
        }
    }
}

#[test]
fn what_a_message_held_is_dropped_when_it_is_filled_again() {
    let (body, metadata) = (Bytes::from(vec![1; 100]), Arc::new(Metadata::new()));
    let mut msg = Msg::from(body.clone());
    msg.set_metadata(Some(&metadata));
    assert_eq!((body.is_unique(), Arc::strong_count(&metadata)), (false, 2));
    msg.set_metadata(Some(&metadata));
    msg.refill(b"small", false);
    assert_eq!((body.is_unique(), Arc::strong_count(&metadata)), (true, 2));
    msg.set_metadata(None);
    assert_eq!(Arc::strong_count(&metadata), 1);
}

#[test]
fn a_frame_that_is_filled_again_leaves_its_copies_alone() {
    let mut msg = Msg::copied(&[1; 64]);
    msg.copy_from(&[2; 64]);
    let kept = msg.clone();
    msg.copy_from(&[3; 64]);
    assert_eq!(kept.as_bytes(), [2; 64]);
    assert_eq!(msg.as_bytes(), [3; 64]);
    for body in [&[4; 65][..], &[5; 3], &[], &[6; 64]] {
        msg.copy_from(body);
        assert_eq!(msg.as_bytes(), body);
    }
}
