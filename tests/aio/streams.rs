//! A socket as a stream of messages and as a sink for them.

use ferrozmq::SocketType::{DEALER, PULL, PUSH, REP, REQ, ROUTER};
use ferrozmq::{Error, EventKind, Msg, Multipart};
use futures_util::future::join;
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};

use crate::common::{Rig, Transport, recv, recv_all};
use crate::runtime::{block_on, drop_when_woken};

crate::on_each_runtime!(
    a_stream_is_forwarded_into_a_sink,
    the_halves_of_a_socket_serve_two_tasks,
    a_stream_ends_with_the_context,
    events_come_as_a_stream,
);

fn message(frames: &[&str]) -> Multipart {
    frames.iter().map(|frame| Msg::from(*frame)).collect()
}

/// A proxy in one line.
async fn a_stream_is_forwarded_into_a_sink(rig: Rig) {
    let (source, mut feeder) = rig.async_pair(PULL, PUSH);
    let (mut drain, sink) = rig.async_pair(PULL, PUSH);
    let numbers = || (0..5000).map(|n: usize| message(&[&n.to_string(), "x"]));
    let feeding = async {
        let mut all = stream::iter(numbers().map(Ok::<_, Error>));
        feeder.send_all(&mut all).await.unwrap();
    };
    let forwarding = source.take(5000).forward(sink);
    let draining = async {
        let arrived: Vec<_> = drain.by_ref().take(5000).try_collect().await.unwrap();
        assert!(arrived.into_iter().eq(numbers()));
    };
    let (forwarded, ((), ())) = join(forwarding, join(feeding, draining)).await;
    forwarded.unwrap();
}

async fn the_halves_of_a_socket_serve_two_tasks(rig: Rig) {
    let (mut router, dealer) = rig.async_pair(ROUTER, DEALER);
    dealer.get_ref().set_sndhwm(4).unwrap();
    let (mut sink, mut stream) = dealer.split();
    let asking = async {
        for n in 0..2000 {
            sink.send(message(&[&n.to_string()])).await.unwrap();
        }
    };
    let listening = async {
        for n in 0..2000 {
            let reply = stream.next().await.unwrap().unwrap();
            assert_eq!(reply[..], [n.to_string().as_str()]);
        }
    };
    let answering = async {
        for _ in 0..2000 {
            let request = router.next().await.unwrap().unwrap();
            router.send_multipart(request).await.unwrap();
        }
    };
    join(join(asking, listening), answering).await;
}

async fn a_stream_ends_with_the_context(rig: Rig) {
    let (pull, mut push) = rig.async_pair(PULL, PUSH);
    push.send("x").await.unwrap();
    let ctx = rig.ctx.clone();
    let mut pull = pull;
    assert_eq!(pull.next().await.unwrap().unwrap()[..], ["x"]);
    let rest = pull.collect::<Vec<_>>();
    let (rest, ()) = join(rest, async { ctx.shutdown() }).await;
    assert!(rest.is_empty());
}

async fn events_come_as_a_stream(rig: Rig) {
    let pull = rig.async_bound(PULL);
    let (mut events, endpoint) = (pull.get_ref().monitor(), pull.last_endpoint());
    let connecting = async {
        let mut push = rig.socket(PUSH).into_async();
        push.connect(&endpoint).unwrap();
        push.connected().await.unwrap();
    };
    let listening = async {
        while !matches!(
            events.next().await.unwrap().kind,
            EventKind::HandshakeSucceeded
        ) {}
    };
    join(connecting, listening).await;
    let rest = events.map(|event| event.kind).collect::<Vec<_>>();
    let ((), rest) = join(pull.closed(), rest).await;
    assert!(matches!(rest.last(), Some(EventKind::MonitorStopped)));
}

#[test]
fn a_dropped_wait_for_an_event_takes_none() {
    let rig = Rig::new(Transport::Tcp);
    let (pull, push) = (rig.bound(PULL), rig.socket(PUSH));
    let mut events = pull.monitor();
    drop_when_woken(events.next(), || {
        push.connect(&pull.last_endpoint()).unwrap()
    });
    let first = block_on(events.next()).unwrap();
    assert!(matches!(first.kind, EventKind::Accepted { .. }));
}

#[test]
fn other_errors_are_items() {
    let rig = Rig::new(Transport::Inproc);
    let (_pull, mut push) = rig.async_pair(PULL, PUSH);
    assert!(matches!(
        block_on(push.next()),
        Some(Err(Error::NotSupported))
    ));
}

#[test]
fn a_message_that_the_sink_refuses_is_given_back() {
    let rig = Rig::new(Transport::Inproc);
    let (_rep, mut req) = rig.async_pair(REP, REQ);
    block_on(SinkExt::send(&mut req, message(&["first"]))).unwrap();
    let refused = block_on(SinkExt::send(&mut req, message(&["second", "frame"])));
    assert!(matches!(refused, Err(Error::Fsm)));
    assert_eq!(req.take_unsent()[..], ["second", "frame"]);
    let empty = block_on(SinkExt::send(&mut req, Multipart::new()));
    assert!(matches!(empty, Err(Error::InvalidArgument(_))));
}

#[test]
fn receivers_are_woken_when_the_sink_is_flushed() {
    let rig = Rig::new(Transport::Inproc);
    let (pull, mut push) = rig.async_pair(PULL, PUSH);
    let pull = pull.into_blocking();
    block_on(push.feed(message(&["1"]))).unwrap();
    block_on(push.feed(message(&["2"]))).unwrap();
    assert!(recv_all(&pull).is_empty());
    block_on(SinkExt::flush(&mut push)).unwrap();
    assert_eq!([recv(&pull), recv(&pull)], [["1"], ["2"]]);
}
