//! SCATTER and GATHER: PUSH and PULL with messages of one frame.

use ferrozmq::SocketType::{GATHER, PUSH, SCATTER};
use ferrozmq::{DONTWAIT, Error, SNDMORE};

use crate::common::{Rig, link, recv, recv_numbers, send, send_numbers};
use crate::on_each_transport;

on_each_transport!(
    work_is_dealt_out_and_collected,
    order_is_kept,
    each_only_does_its_own,
    messages_have_one_frame,
);

fn work_is_dealt_out_and_collected(rig: &Rig) {
    let scatter = rig.bound(SCATTER);
    let gathers = [
        rig.connected(GATHER, &scatter),
        rig.connected(GATHER, &scatter),
    ];
    for body in ["1", "2", "3", "4"] {
        send(&scatter, &[body]);
    }
    let mut received = gathers.map(|gather| [recv(&gather), recv(&gather)].concat());
    received.sort();
    assert_eq!(received, [["1", "3"], ["2", "4"]]);

    let gather = rig.bound(GATHER);
    let scatters = [rig.socket(SCATTER), rig.socket(SCATTER)];
    for scatter in &scatters {
        link(&gather, scatter);
        send(scatter, &["x"]);
    }
    assert_eq!([recv(&gather), recv(&gather)].concat(), ["x", "x"]);
}

fn order_is_kept(rig: &Rig) {
    let (gather, scatter) = rig.pair(GATHER, SCATTER);
    std::thread::scope(|scope| {
        // It does not linger, so it has to live until all has arrived.
        let sending = scope.spawn(move || {
            send_numbers(&scatter, 0..5000);
            scatter
        });
        recv_numbers(&gather, 0..5000);
        drop(sending.join().unwrap());
    });
}

fn each_only_does_its_own(rig: &Rig) {
    let (gather, scatter) = rig.pair(GATHER, SCATTER);
    let sent = gather.send("x", 0).unwrap_err();
    assert!(matches!(sent.error, Error::NotSupported));
    assert!(matches!(scatter.recv_msg(0), Err(Error::NotSupported)));
    assert!(matches!(gather.recv_msg(DONTWAIT), Err(Error::Again)));
}

fn messages_have_one_frame(rig: &Rig) {
    let (gather, scatter) = rig.pair(GATHER, SCATTER);
    let refused = scatter.send("first", SNDMORE).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
    if rig.is_inproc() {
        let push = rig.connected(PUSH, &gather);
        send(&push, &["of", "two"]);
        send(&push, &["one"]);
        assert_eq!(recv(&gather), ["one"]);
    }
    send(&scatter, &["whole"]);
    assert_eq!(recv(&gather), ["whole"]);
}
