//! Options of single socket types. They take effect at once, unless said otherwise; a type that
//! does not have an option refuses it.

use bytes::Bytes;

use super::routing_id;
use crate::error::{Error, Result};
use crate::msg::Msg;
use crate::options::SocketType;
use crate::pattern::{PatternOption, Refused};
use crate::socket::{Socket, error_of};

/// Setters and getters of what a pattern does or does not do.
macro_rules! pattern_flags {
    ($(
        $(#[$doc:meta])*
        $set:ident, $get:ident: $option:ident = $flag:ident;
    )*) => {
        impl Socket {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
            pub fn $set(&self, on: bool) -> Result<()> {
                let mut base = self.processed()?;
                base.set_pattern(PatternOption::$option(on))?;
                base.options.pattern.$flag = on;
                Ok(())
            }

            #[doc = concat!("The value of [`Socket::", stringify!($set), "`].")]
            ///
            /// # Errors
            /// [`Error::Term`].
            pub fn $get(&self) -> Result<bool> {
                Ok(self.processed()?.options.pattern.$flag)
            }
        )*}
    };
}

pattern_flags! {
    /// ROUTER: sets whether a message to an unknown peer is an [`Error::HostUnreachable`], and
    /// one to a peer without room has to wait (`ZMQ_ROUTER_MANDATORY`); otherwise both are
    /// dropped. Default false.
    set_router_mandatory, is_router_mandatory: RouterMandatory = router_mandatory;

    /// ROUTER: sets whether a new peer takes the routing id over from the one that has it
    /// (`ZMQ_ROUTER_HANDOVER`); otherwise the new one is refused. Default false.
    set_router_handover, is_router_handover: RouterHandover = router_handover;

    /// REQ, DEALER, ROUTER: sets whether each new peer is sent an empty message, so that a ROUTER
    /// learns of us (`ZMQ_PROBE_ROUTER`). Default false. Takes effect for new peers.
    set_probe_router, is_probe_router: ProbeRouter = probe_router;

    /// REQ: sets whether requests are numbered, so that a late reply is not taken for the one to
    /// the present request (`ZMQ_REQ_CORRELATE`). The peer must send the number back, as REP does.
    /// Default false. Takes effect for the next request.
    set_req_correlate, is_req_correlate: ReqCorrelate = req_correlate;

    /// REQ: sets whether a request can be sent although the last was not answered
    /// (`ZMQ_REQ_RELAXED`). Default false.
    set_req_relaxed, is_req_relaxed: ReqRelaxed = req_relaxed;

    /// XPUB: sets whether the application applies subscriptions itself, by
    /// [`Socket::set_subscribe`] and [`Socket::set_unsubscribe`] for the peer of the event that
    /// it received last (`ZMQ_XPUB_MANUAL`). Default false.
    set_xpub_manual, is_xpub_manual: XpubManual = xpub_manual;

    /// XPUB: sets manual mode, as [`Socket::set_xpub_manual`], in which moreover the first message
    /// sent after an event goes to the peer of that event only, if it subscribed to it
    /// (`ZMQ_XPUB_MANUAL_LAST_VALUE`): the last value of a topic for who is new. Default false.
    set_xpub_manual_last_value, is_xpub_manual_last_value: XpubManualLastValue = xpub_manual_last_value;

    /// PUB, XPUB, RADIO: sets whether a message that one of its receivers has no room for waits, or
    /// fails with [`Error::Again`], instead of passing that one by (`ZMQ_XPUB_NODROP`). Like libzmq's, a
    /// send that does not wait fails once, too, when a receiver was a whole mark behind at the last look
    /// and has caught up since. Default false.
    set_xpub_nodrop, is_xpub_nodrop: XpubNodrop = xpub_nodrop;

    /// PUB, XPUB, SUB: sets whether messages go to those whose subscriptions do not match
    /// (`ZMQ_INVERT_MATCHING`); to be set on both sides. Default false.
    set_invert_matching, is_invert_matching: InvertMatching = invert_matching;

    /// XPUB, XSUB: sets whether only the first frame of a message can be a subscription
    /// (`ZMQ_ONLY_FIRST_SUBSCRIBE`). Default false.
    set_only_first_subscribe, is_only_first_subscribe: OnlyFirstSubscribe = only_first_subscribe;

    /// XSUB: sets whether every unsubscription is told to the publishers, and not only the last
    /// of a topic (`ZMQ_XSUB_VERBOSE_UNSUBSCRIBE`). Default false.
    set_xsub_verbose_unsubscribe, is_xsub_verbose_unsubscribe: XsubVerboseUnsubscribe = xsub_verbose_unsubscribe;
}

impl Socket {
    // ── subscriptions ────────────────────────────────────────────────────────────────────────

    /// SUB: receives messages that begin with `topic` from now on, all if it is empty; XPUB in
    /// manual mode: sends them to the peer of the last event (`ZMQ_SUBSCRIBE`). A SUB has no
    /// subscription at first. Those made repeatedly must be taken back as often.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn set_subscribe(&self, topic: &[u8]) -> Result<()> {
        let topic = Bytes::copy_from_slice(topic);
        self.processed()?
            .set_pattern(PatternOption::Subscribe(topic))
    }

    /// Takes a [`Socket::set_subscribe`] back (`ZMQ_UNSUBSCRIBE`); one that was never made is no
    /// error.
    ///
    /// # Errors
    /// As for [`Socket::set_subscribe`].
    pub fn set_unsubscribe(&self, topic: &[u8]) -> Result<()> {
        let topic = Bytes::copy_from_slice(topic);
        self.processed()?
            .set_pattern(PatternOption::Unsubscribe(topic))
    }

    /// Short for [`Socket::set_subscribe`].
    ///
    /// # Errors
    /// As for [`Socket::set_subscribe`].
    pub fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<()> {
        self.set_subscribe(topic.as_ref())
    }

    /// Short for [`Socket::set_unsubscribe`].
    ///
    /// # Errors
    /// As for [`Socket::set_subscribe`].
    pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> Result<()> {
        self.set_unsubscribe(topic.as_ref())
    }

    /// XPUB: sets whether subscriptions that a peer before made already are reported too
    /// (`ZMQ_XPUB_VERBOSE`). Turns [`Socket::set_xpub_verboser`] off. Default false.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn set_xpub_verbose(&self, on: bool) -> Result<()> {
        let mut base = self.processed()?;
        base.set_pattern(PatternOption::XpubVerbose(on))?;
        base.options.pattern.xpub_verbose = on;
        base.options.pattern.xpub_verboser = false;
        Ok(())
    }

    /// The value of [`Socket::set_xpub_verbose`], true also with [`Socket::set_xpub_verboser`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_xpub_verbose(&self) -> Result<bool> {
        Ok(self.processed()?.options.pattern.xpub_verbose)
    }

    /// XPUB: sets whether all subscriptions and all unsubscriptions are reported, and not only
    /// the first and the last of a topic (`ZMQ_XPUB_VERBOSER`). Default false.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn set_xpub_verboser(&self, on: bool) -> Result<()> {
        let mut base = self.processed()?;
        base.set_pattern(PatternOption::XpubVerboser(on))?;
        base.options.pattern.xpub_verbose = on;
        base.options.pattern.xpub_verboser = on;
        Ok(())
    }

    /// The value of [`Socket::set_xpub_verboser`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_xpub_verboser(&self) -> Result<bool> {
        Ok(self.processed()?.options.pattern.xpub_verboser)
    }

    /// PUB, XPUB: sets the message that each new subscriber is sent first, whatever it subscribes
    /// to (`ZMQ_XPUB_WELCOME_MSG`); none if it is empty. Default none. Takes effect for new peers.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn set_xpub_welcome_msg(&self, message: &[u8]) -> Result<()> {
        let welcome = Some(message).filter(|message| !message.is_empty());
        self.processed()?
            .set_pattern(PatternOption::XpubWelcome(welcome.map(Msg::copied)))
    }

    /// PUB, XPUB, SUB, XSUB: how many different topics are subscribed to (`ZMQ_TOPICS_COUNT`): by
    /// all peers, or by this socket.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn get_topics_count(&self) -> Result<usize> {
        let count = self.processed()?.topics_count();
        count.ok_or(Error::InvalidArgument("the socket type has no topics"))
    }

    // ── named and raw peers ──────────────────────────────────────────────────────────────────

    /// ROUTER, STREAM: sets the routing id under which this socket knows the peer of its next
    /// connect, whatever the peer calls itself (`ZMQ_CONNECT_ROUTING_ID`): 1 to 255 bytes, the
    /// first not zero. It is used once.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another length or a first byte of zero, for an id that a
    /// connected peer has, and for another socket type; [`Error::Term`].
    pub fn set_connect_routing_id(&self, id: &[u8]) -> Result<()> {
        let mut base = self.processed()?;
        let id = routing_id(id)?;
        match base.peer_is_writable(&id) {
            Ok(_) => Err(Error::InvalidArgument("a peer has this routing id")),
            Err(Refused::NotSupported) => Err(Error::InvalidArgument(
                "only ROUTER and STREAM know peers by routing ids",
            )),
            Err(
                Refused::HostUnreachable
                | Refused::WouldBlock
                | Refused::Yield
                | Refused::Fsm
                | Refused::Invalid(_),
            ) => {
                base.connect_routing_id = Some(id);
                Ok(())
            }
        }
    }

    /// ROUTER, STREAM: whether the peer with this routing id has room for a message
    /// (`zmq_socket_get_peer_state`).
    ///
    /// # Errors
    /// [`Error::HostUnreachable`] if there is no such peer, [`Error::NotSupported`] for another
    /// socket type, [`Error::Term`].
    pub fn peer_is_writable(&self, routing_id: &[u8]) -> Result<bool> {
        let mut base = self.processed()?;
        base.peer_is_writable(routing_id).map_err(error_of)
    }

    /// ROUTER: sets whether connections are raw tcp, as those of a STREAM, and not ZMTP
    /// (`ZMQ_ROUTER_RAW`). Default false. Only before the first bind or connect.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, and after the first bind or connect;
    /// [`Error::Term`].
    pub fn set_router_raw(&self, raw: bool) -> Result<()> {
        let mut base = self.processed()?;
        if base.socket_type() != SocketType::ROUTER || !base.is_fresh() {
            return Err(Error::InvalidArgument(
                "only a ROUTER can be made raw, before its first bind or connect",
            ));
        }
        base.set_router_raw(raw)
    }

    /// The value of [`Socket::set_router_raw`]; true for STREAM.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_router_raw(&self) -> Result<bool> {
        Ok(self.processed()?.options.raw)
    }

    /// STREAM, raw ROUTER: sets whether an empty message tells of each connection that comes or
    /// goes (`ZMQ_STREAM_NOTIFY`). Default true. Takes effect for endpoints bound or connected
    /// later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn set_stream_notify(&self, notify: bool) -> Result<()> {
        let mut base = self.processed()?;
        if !base.options.raw {
            return Err(Error::InvalidArgument(
                "only raw connections come and go with a message",
            ));
        }
        base.options.stream_notify = notify;
        Ok(())
    }

    /// The value of [`Socket::set_stream_notify`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_stream_notify(&self) -> Result<bool> {
        Ok(self.processed()?.options.stream_notify)
    }
}
