//! [`Inquiry`]: a session's question to a ZAP handler (RFC 27), and the wait for its answer.
//!
//! Owns one end of a pipe whose other end the handler's socket has. It never waits: who asks polls
//! it when the pipe has news, and gives it up when the handshake takes too long.

use std::sync::Arc;

use crate::command::{IoCmd, ZapPeer};
use crate::error::ZapError;
use crate::mailbox::Mailbox;
use crate::msg::{Metadata, Msg};
use crate::pipe::{PipeEnd, PipeEvent};
use crate::slab::Key;
use crate::ypipe::Pop;
use crate::zap::{AuthRequest, Verdict};
use crate::zmtp::zap;

/// The types of socket that can answer.
const HANDLERS: [&[u8]; 3] = [b"REP", b"ROUTER", b"SERVER"];

/// No reply has more frames.
const FRAMES_MAX: usize = 8;

/// A question on its way, or the beginning of its answer.
#[derive(Debug)]
pub(crate) struct Inquiry {
    pipe: PipeEnd,
    reply: Vec<Msg>,
}

impl Inquiry {
    /// Asks whoever has the other end of `pipe`; news of it goes to `me`.
    pub(crate) fn begin(
        mut pipe: PipeEnd,
        request: &AuthRequest,
        me: (Arc<Mailbox<IoCmd>>, Key),
    ) -> Self {
        pipe.attach(Arc::new(ZapPeer(me.0)), me.1);
        pipe.set_hwm(0, 0);
        pipe.write_uncounted(introduction());
        for mut frame in zap::request(request) {
            // A handler that is gone is found out by polling.
            let _ = pipe.write(&mut frame);
        }
        pipe.flush();
        Self {
            pipe,
            reply: Vec::new(),
        }
    }

    pub(crate) fn on_event(&mut self, event: PipeEvent) {
        self.pipe.on_event(event);
    }

    /// The verdict, once the handler has answered or cannot any more.
    pub(crate) fn poll_verdict(&mut self) -> Option<Verdict> {
        loop {
            match self.pipe.read() {
                Pop::Item(frame) => {
                    let more = frame.more();
                    if self.reply.len() < FRAMES_MAX {
                        self.reply.push(frame);
                    }
                    if !more {
                        return Some(zap::verdict(&self.reply));
                    }
                }
                Pop::Empty if self.is_with_stranger() => {
                    return Some(Verdict::Failed(ZapError::NotAHandler));
                }
                Pop::Empty => return None,
                Pop::Finished => return Some(Verdict::Failed(ZapError::HandlerGone)),
            }
        }
    }

    /// Whether the socket that was asked is known to be of a type that never answers.
    fn is_with_stranger(&self) -> bool {
        let peer = self.pipe.peer();
        let socket_type = peer.and_then(|peer| peer.get(Metadata::SOCKET_TYPE));
        socket_type.is_some_and(|name| !HANDLERS.contains(&name))
    }
}

/// What the handler's socket is told of us.
fn introduction() -> Msg {
    let mut metadata = Metadata::new();
    metadata.insert(Metadata::SOCKET_TYPE, b"REQ");
    Msg::peer(Arc::new(metadata))
}
