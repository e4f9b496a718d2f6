//! STREAM: bytes without a protocol, between the two libraries' own raw sockets.

use crate::end::Bytes;
use crate::*;

both_ways!(bytes_both_ways, a_connection_that_is_closed);

/// The other end's routing id, once the connection is there.
fn await_peer(end: &End) -> Bytes {
    let notice = end.recv();
    assert_eq!(notice[1], "", "an empty message tells of the connection");
    notice[0].clone()
}

/// STREAM is for tcp; over ipc, libzmq has it too.
fn bytes_both_ways(link: &Link) {
    let (bound, connected) = link.pair(STREAM, STREAM);
    let (to_connected, to_bound) = (await_peer(&bound), await_peer(&connected));
    for size in [1, 100, 10_000, 1_000_000] {
        let body = vec![b'x'; size];
        bound.send(&[to_connected.as_ref(), &body]);
        connected.send(&[to_bound.as_ref(), &body]);
        for end in [&bound, &connected] {
            let mut received = 0;
            while received < size {
                let message = end.recv();
                assert!(message.len() == 2 && message[1].0.iter().all(|byte| *byte == b'x'));
                received += message[1].0.len();
            }
            assert_eq!(received, size);
        }
    }
}

fn a_connection_that_is_closed(link: &Link) {
    let (bound, connected) = link.pair(STREAM, STREAM);
    let (to_connected, to_bound) = (await_peer(&bound), await_peer(&connected));
    connected.send(&[to_bound.as_ref(), b"bye"]);
    bound.expect(&[to_connected.as_ref(), b"bye"]);
    bound.send(&[to_connected.as_ref(), b""]);
    // The one that closes may need another call to do so.
    wait_until(|| {
        bound.is_readable_within(Duration::ZERO);
        connected.is_readable_within(Duration::from_millis(5))
    });
    connected.expect(&[to_bound.as_ref(), b""]);
}
