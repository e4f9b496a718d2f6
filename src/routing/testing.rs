//! Pipes without threads, for the tests of strategies and patterns.
//!
//! [`Wires`] owns both ends of each pipe: the near ones in the slab that the code under test is
//! lent, the far ones as [`Peer`]s. Events travel when [`Wires::deliver`] is called.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::msg::{Metadata, Msg};
use crate::pipe::{self, PipeEnd, PipeEvent, PipePeer, Pipes};
use crate::slab::Key;
use crate::ypipe::Pop;

/// The frames of a message.
pub(crate) type Frames = Vec<Vec<u8>>;

/// The frames of a message, to compare with.
pub(crate) fn frames(bodies: &[impl AsRef<[u8]>]) -> Frames {
    bodies.iter().map(|body| body.as_ref().to_vec()).collect()
}

/// The frames of a message, to send: all but the last have the MORE flag.
pub(crate) fn message(bodies: &[impl AsRef<[u8]>]) -> impl Iterator<Item = Msg> {
    let last = bodies.len().saturating_sub(1);
    bodies.iter().enumerate().map(move |(n, body)| {
        let mut frame = Msg::copied(body.as_ref());
        frame.set_more(n < last);
        frame
    })
}

/// A frame with the MORE flag.
pub(crate) fn more(body: impl AsRef<[u8]>) -> Msg {
    let mut frame = Msg::copied(body.as_ref());
    frame.set_more(true);
    frame
}

/// An owner that keeps what it was told.
#[derive(Debug, Default)]
struct Inbox(Mutex<Vec<(Key, PipeEvent)>>);

impl PipePeer for Inbox {
    fn post(&self, to: Key, event: PipeEvent) {
        self.0.lock().push((to, event));
    }
}

impl Inbox {
    fn take(&self) -> Vec<(Key, PipeEvent)> {
        std::mem::take(&mut self.0.lock())
    }
}

/// The name of a far end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Peer(Key);

/// How a pipe is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    /// The marks of the near end: of what it sends, and of what it receives.
    pub hwm: (u32, u32),
    /// What the peer calls itself; `None` until [`Wires::introduce`].
    pub identity: Option<&'a [u8]>,
    /// Each direction holds one message only.
    pub conflate: bool,
}

impl Default for Link<'_> {
    /// A roomy pipe from a peer without a routing id.
    fn default() -> Self {
        Self {
            hwm: (1000, 1000),
            identity: Some(b""),
            conflate: false,
        }
    }
}

/// Pipes with both their ends.
#[derive(Debug)]
pub(crate) struct Wires {
    /// The near ends, for the code under test.
    pub pipes: Pipes,
    far: Pipes,
    /// The near and the far key of each pipe there ever was.
    keys: Vec<(Key, Key)>,
    near_inbox: Arc<Inbox>,
    far_inbox: Arc<Inbox>,
}

impl Wires {
    pub(crate) fn new() -> Self {
        Self {
            pipes: Pipes::new(),
            far: Pipes::new(),
            keys: Vec::new(),
            near_inbox: Arc::default(),
            far_inbox: Arc::default(),
        }
    }

    /// Makes a pipe; both ends are attached.
    pub(crate) fn link(&mut self, link: Link<'_>) -> (Key, Peer) {
        let (mut near, far) = pipe::pair(link.conflate);
        near.set_hwm(link.hwm.0, link.hwm.1);
        let near = insert(&mut self.pipes, near, self.near_inbox.clone());
        let far = insert(&mut self.far, far, self.far_inbox.clone());
        self.keys.push((near, far));
        if let Some(identity) = link.identity {
            self.introduce(Peer(far), identity);
        }
        (near, Peer(far))
    }

    /// The key of the near end.
    pub(crate) fn key_of(&self, peer: Peer) -> Key {
        let found = self.keys.iter().find(|(_, far)| *far == peer.0);
        found.expect("the peer was linked").0
    }

    /// Delivers what happened. Returns the news of the near ends, of which the pipes know already.
    pub(crate) fn deliver(&mut self) -> Vec<(Key, PipeEvent)> {
        notify(&mut self.far, &self.far_inbox.take());
        let news = self.near_inbox.take();
        notify(&mut self.pipes, &news);
        news
    }

    /// The peer's connection is up: it says who it is.
    pub(crate) fn introduce(&mut self, peer: Peer, identity: &[u8]) {
        let mut metadata = Metadata::new();
        metadata.insert(Metadata::IDENTITY, identity);
        self.far_end(peer)
            .write_uncounted(Msg::peer(Arc::new(metadata)));
        self.far_end(peer).flush();
    }

    /// The peer sends a message.
    #[track_caller]
    pub(crate) fn say(&mut self, peer: Peer, bodies: &[impl AsRef<[u8]>]) {
        for frame in message(bodies) {
            self.say_frame(peer, frame);
        }
        self.far_end(peer).flush();
    }

    /// The peer writes a frame, and does not flush.
    #[track_caller]
    pub(crate) fn say_frame(&mut self, peer: Peer, mut frame: Msg) {
        let written = self.far_end(peer).write(&mut frame);
        written.expect("the pipe has room");
    }

    /// What the peer receives next: a whole message. A peer that is gone hears nothing.
    #[track_caller]
    pub(crate) fn hear(&mut self, peer: Peer) -> Option<Frames> {
        let mut heard = Frames::new();
        let far = self.far.get_mut(peer.0)?;
        loop {
            match far.read() {
                Pop::Item(frame) => {
                    heard.push(frame.to_vec());
                    if !frame.more() {
                        return Some(heard);
                    }
                }
                Pop::Empty | Pop::Finished => {
                    assert_eq!(heard, Frames::new(), "half a message arrived");
                    return None;
                }
            }
        }
    }

    /// Everything that the peer received.
    #[track_caller]
    pub(crate) fn hear_all(&mut self, peer: Peer) -> Vec<Frames> {
        std::iter::from_fn(|| self.hear(peer)).collect()
    }

    /// The peer goes.
    pub(crate) fn hang_up(&mut self, peer: Peer) {
        self.far.remove(peer.0);
    }

    /// The far end itself, for what has no method here.
    #[track_caller]
    pub(crate) fn far_end(&mut self, peer: Peer) -> &mut PipeEnd {
        self.far.get_mut(peer.0).expect("the peer is there")
    }

    /// Whether the peer is there and could say something.
    pub(crate) fn can_say(&mut self, peer: Peer) -> bool {
        self.far.get_mut(peer.0).is_some_and(|end| end.can_write())
    }

    /// Whether the near end is still in the slab.
    pub(crate) fn is_linked(&self, peer: Peer) -> bool {
        self.pipes.contains(self.key_of(peer))
    }
}

fn insert(pipes: &mut Pipes, mut end: PipeEnd, owner: Arc<Inbox>) -> Key {
    pipes.insert_with(|key| {
        end.attach(owner, key);
        end
    })
}

fn notify(pipes: &mut Pipes, news: &[(Key, PipeEvent)]) {
    for (key, event) in news {
        if let Some(pipe) = pipes.get_mut(*key) {
            pipe.on_event(*event);
        }
    }
}
