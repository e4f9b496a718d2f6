//! What travels upstream, from subscribers to publishers: subscriptions, and messages of the
//! application. This file owns the rule that tells them apart; both sides apply the same one.
//!
//! A subscription is a record of that kind, or a frame that begins with 1 (0 to cancel). The first
//! frame of a message is always looked at; the others too, unless the socket was told otherwise
//! (`ZMQ_ONLY_FIRST_SUBSCRIBE`) and the first was none.

use crate::msg::{Kind, Msg};

/// The first byte of a frame that cancels a subscription.
const CANCEL: u8 = 0;
/// The first byte of a frame that subscribes.
const SUBSCRIBE: u8 = 1;

/// What is to be done about a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Subscribe,
    Cancel,
}

/// What a frame on its way upstream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// A request, and nothing else.
    Request(Request),
    /// A request that at the same time is a frame of an application's message: it must be obeyed,
    /// and it must stay where it is or the message would be torn.
    Part(Request),
    /// A frame of an application's message.
    Data,
}

/// How far a stream of frames has come.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    mid_message: bool,
    /// Whether frames after the first are looked at.
    examine: bool,
    /// An application's message has begun and not ended.
    within_data: bool,
}

impl Upstream {
    /// What the next frame is. With `only_first`, a message of the application is one to its end.
    pub(super) fn next(&mut self, frame: &Msg, only_first: bool) -> Role {
        let first = !self.mid_message;
        let request = if first || self.examine {
            request(frame)
        } else {
            None
        };
        if first {
            self.examine = !only_first || request.is_some();
        }
        let role = match request {
            Some(request) if self.within_data => Role::Part(request),
            Some(request) => Role::Request(request),
            None => Role::Data,
        };
        self.mid_message = frame.more();
        self.within_data = frame.more() && !matches!(role, Role::Request(_));
        role
    }
}

fn request(frame: &Msg) -> Option<Request> {
    match (frame.kind(), frame.first()) {
        (Kind::Subscribe, _) | (Kind::Data, Some(&SUBSCRIBE)) => Some(Request::Subscribe),
        (Kind::Cancel, _) | (Kind::Data, Some(&CANCEL)) => Some(Request::Cancel),
        (Kind::Data | Kind::Peer | Kind::Join | Kind::Leave, _) => None,
    }
}

/// The topic of a frame that is a request.
pub(super) fn topic(frame: &Msg) -> &[u8] {
    match frame.kind() {
        Kind::Subscribe | Kind::Cancel => frame,
        Kind::Data | Kind::Peer | Kind::Join | Kind::Leave => frame.get(1..).unwrap_or_default(),
    }
}

/// The record that tells a publisher's engine of a request.
pub(super) fn record(request: Request, topic: Msg) -> Msg {
    topic.of_kind(match request {
        Request::Subscribe => Kind::Subscribe,
        Request::Cancel => Kind::Cancel,
    })
}

/// The message that tells an application of a request.
pub(super) fn event(request: Request, topic: &[u8]) -> Msg {
    let first = match request {
        Request::Subscribe => SUBSCRIBE,
        Request::Cancel => CANCEL,
    };
    Msg::from([&[first], topic].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the frames of one message are, after each other: `s`, `c`, `S`, `C` (parts) and `.`.
    fn roles(only_first: bool, bodies: &[&[u8]]) -> String {
        let mut upstream = Upstream::default();
        let last = bodies.len() - 1;
        let role = |(n, body): (usize, &&[u8])| {
            let mut frame = Msg::copied(body);
            frame.set_more(n < last);
            match upstream.next(&frame, only_first) {
                Role::Request(Request::Subscribe) => 's',
                Role::Request(Request::Cancel) => 'c',
                Role::Part(Request::Subscribe) => 'S',
                Role::Part(Request::Cancel) => 'C',
                Role::Data => '.',
            }
        };
        bodies.iter().enumerate().map(role).collect()
    }

    #[test]
    fn frames_are_told_apart() {
        let cases: [(&str, &str, &[&[u8]]); 8] = [
            ("s", "s", &[b"\x01a"]),
            ("c", "c", &[b"\x00a"]),
            (".", ".", &[b""]),
            (".", ".", &[b"\x02"]),
            ("ss", "ss", &[b"\x01", b"\x01a"]),
            ("s.", "s.", &[b"\x01", b"data"]),
            (".S.", "...", &[b"data", b"\x01a", b"data"]),
            ("s.C", "s.C", &[b"\x01", b"data", b"\x00a"]),
        ];
        for (all, only_first, bodies) in cases {
            assert_eq!(roles(false, bodies), all, "{bodies:?}");
            assert_eq!(roles(true, bodies), only_first, "{bodies:?}");
        }
    }

    #[test]
    fn records_are_requests_whatever_their_topic() {
        let record = record(Request::Cancel, Msg::from(b"\x01a"));
        let role = Upstream::default().next(&record, true);
        assert_eq!(role, Role::Request(Request::Cancel));
        assert_eq!(topic(&record), b"\x01a");
        assert_eq!(event(Request::Cancel, topic(&record)), *b"\x00\x01a");
    }
}
