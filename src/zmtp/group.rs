//! [`Groups`]: how the messages of RADIO and DISH travel, a frame with the group before each body.
//!
//! Owns the half of a message that has arrived. Nothing here knows who joined what.

use crate::error::ProtocolError;
use crate::msg::{GROUP_MAX, Kind, Msg};
use crate::options::SocketType;

/// What groups are to a connection.
#[derive(Debug)]
pub(crate) enum Groups {
    /// Nothing: the socket is neither RADIO nor DISH.
    None,
    /// RADIO: the peer joins them, and messages are sent to them.
    Sent,
    /// DISH: messages come from them.
    Received(Box<Receiving>),
}

/// Where in a message a DISH is.
#[derive(Debug, Default)]
pub(crate) struct Receiving {
    /// A message of the group that came last, which mostly is the next one's too.
    last: Msg,
    /// The group has come, and the body has not.
    body_follows: bool,
    /// The group is none that can be joined.
    is_strange: bool,
}

impl Groups {
    pub(crate) fn of(socket_type: SocketType) -> Self {
        match socket_type {
            SocketType::RADIO => Self::Sent,
            SocketType::DISH => Self::Received(Box::default()),
            _ => Self::None,
        }
    }

    /// Whether there are frames that are no messages of their own.
    pub(crate) fn are_sent_along(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether JOIN and LEAVE mean something.
    pub(crate) fn can_be_joined(&self) -> bool {
        matches!(self, Self::Sent)
    }

    /// The frame to be sent before a message.
    pub(crate) fn frame_before(&self, msg: &Msg) -> Option<Msg> {
        if !self.can_be_joined() || msg.kind() != Kind::Data {
            return None;
        }
        let mut group = Msg::copied(msg.group().as_bytes());
        group.set_more(true);
        Some(group)
    }

    /// Takes a frame that has arrived; `None` if it is no message yet, or for nobody.
    ///
    /// # Errors
    /// [`ProtocolError::MalformedMessage`] for what is not a group and a body.
    pub(crate) fn handle_frame(&mut self, frame: Msg) -> Result<Option<Msg>, ProtocolError> {
        match self {
            Self::None | Self::Sent => Ok(Some(frame)),
            Self::Received(receiving) => receiving.handle_frame(frame),
        }
    }
}

impl Receiving {
    fn handle_frame(&mut self, mut frame: Msg) -> Result<Option<Msg>, ProtocolError> {
        if frame.more() == self.body_follows || (frame.more() && frame.len() > GROUP_MAX) {
            return Err(ProtocolError::MalformedMessage);
        }
        self.body_follows = frame.more();
        if frame.more() {
            self.begin(&frame);
            return Ok(None);
        }
        frame.share_group(&self.last);
        Ok((!self.is_strange).then_some(frame))
    }

    fn begin(&mut self, group: &Msg) {
        if self.last.group().as_bytes() == group.as_bytes() {
            self.is_strange = false;
            return;
        }
        let text = group.as_str().map(|text| self.last.set_group(text));
        self.is_strange = !matches!(text, Some(Ok(())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8], more: bool) -> Msg {
        let mut frame = Msg::copied(body);
        frame.set_more(more);
        frame
    }

    fn receive(groups: &mut Groups, group: &[u8], body: &[u8]) -> Option<(String, Vec<u8>)> {
        assert!(groups.handle_frame(frame(group, true)).unwrap().is_none());
        let msg = groups.handle_frame(frame(body, false)).unwrap()?;
        Some((msg.group().to_owned(), msg.to_vec()))
    }

    #[test]
    fn a_dish_puts_group_and_body_together() {
        let mut groups = Groups::of(SocketType::DISH);
        for group in ["a", "a", "", "b"] {
            let expected = (group.to_owned(), b"body".to_vec());
            let received = receive(&mut groups, group.as_bytes(), b"body");
            assert_eq!(received, Some(expected));
        }
    }

    #[test]
    fn a_group_that_nobody_can_join_is_dropped_with_its_body() {
        let mut groups = Groups::of(SocketType::DISH);
        assert!(receive(&mut groups, b"a", b"1").is_some());
        for strange in [&b"\xFF"[..], b"a\0"] {
            assert_eq!(receive(&mut groups, strange, b"body"), None);
        }
        assert!(receive(&mut groups, b"a", b"2").is_some());
    }

    #[test]
    fn anything_but_two_frames_is_malformed() {
        let malformed = |frames: &[(&[u8], bool)]| {
            let mut groups = Groups::of(SocketType::DISH);
            let mut outcomes = frames
                .iter()
                .map(|(body, more)| groups.handle_frame(frame(body, *more)));
            outcomes.any(|outcome| outcome == Err(ProtocolError::MalformedMessage))
        };
        assert!(malformed(&[(b"body alone", false)]));
        assert!(malformed(&[(b"group", true), (b"body", true)]));
        assert!(malformed(&[(&[b'x'; 256], true)]));
        assert!(!malformed(&[(&[b'x'; 255], true), (b"", false)]));
    }

    #[test]
    fn a_radio_sends_the_group_first_and_receives_nothing_in_that_form() {
        let groups = Groups::of(SocketType::RADIO);
        let mut msg = Msg::from("body");
        msg.set_group("group").unwrap();
        let before = groups.frame_before(&msg).unwrap();
        assert!(before == "group" && before.more());
        assert!(groups.frame_before(&msg.of_kind(Kind::Join)).is_none());
        assert!(Groups::of(SocketType::PUB).frame_before(&before).is_none());
    }
}
