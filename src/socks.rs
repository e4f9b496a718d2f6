//! [`Socks`]: an engine behind a SOCKS5 proxy (RFC 1928, passwords by RFC 1929).
//!
//! Owns the dialogue with the proxy, and the engine that takes over when the proxy has connected. It
//! resolves no names: the proxy is told the host as the application wrote it.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use crate::endpoint::{Host, HostPort};
use crate::engine::{Engine, Event, Failure, Frames};
use crate::msg::Msg;
use crate::record::{self, Received};
use crate::zap::Verdict;

const VERSION: u8 = 5;
const NO_PASSWORD: u8 = 0;
const PASSWORD: u8 = 2;
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;
const SUCCESS: u8 = 0;

/// What a proxy's reply is called that is no reply of SOCKS5, or accepts none of our ways to say
/// who we are: the method that stands for "none".
const NO_REPLY: u8 = 0xFF;

/// Who we are to the proxy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Login {
    pub username: String,
    pub password: String,
}

/// Which reply of the proxy is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Method,
    Password,
    Connect,
    /// None: the connection stands.
    Through,
    Failed,
}

/// An engine behind a proxy.
#[derive(Debug)]
pub(crate) struct Socks {
    phase: Phase,
    target: HostPort,
    login: Option<Login>,
    /// What the proxy is to be sent, and how many bytes of it are.
    out: Vec<u8>,
    sent: usize,
    /// What has come of a reply.
    reply: Vec<u8>,
    inner: Box<dyn Engine>,
}

impl Socks {
    /// Has `inner` speak to `target` through a proxy, to which the connection leads.
    pub(crate) fn new(target: HostPort, login: Option<Login>, inner: Box<dyn Engine>) -> Self {
        let out = match login {
            None => vec![VERSION, 1, NO_PASSWORD],
            Some(_) => vec![VERSION, 2, NO_PASSWORD, PASSWORD],
        };
        Self {
            phase: Phase::Method,
            target,
            login,
            out,
            sent: 0,
            reply: Vec::new(),
            inner,
        }
    }

    /// Takes replies from `input` until the proxy has connected or there are no more bytes.
    fn converse(&mut self, input: &mut &[u8]) -> Result<(), u8> {
        while self.phase != Phase::Through {
            let missing = self.reply_len()?.saturating_sub(self.reply.len());
            if missing == 0 {
                self.on_reply()?;
                continue;
            }
            if input.is_empty() {
                return Ok(());
            }
            let (taken, rest) = input.split_at(missing.min(input.len()));
            self.reply.extend_from_slice(taken);
            *input = rest;
        }
        Ok(())
    }

    /// How long the reply is, as far as is known.
    fn reply_len(&self) -> Result<usize, u8> {
        match (self.phase, &self.reply[..]) {
            (Phase::Connect, &[_, _, _, V4, _, ..]) => Ok(4 + 4 + 2),
            (Phase::Connect, &[_, _, _, V6, _, ..]) => Ok(4 + 16 + 2),
            (Phase::Connect, &[_, _, _, NAME, len, ..]) => Ok(4 + 1 + usize::from(len) + 2),
            (Phase::Connect, &[_, _, _, _, _, ..]) => Err(NO_REPLY),
            // A refusal need not have more.
            (Phase::Connect, &[_, refused, ..]) if refused != SUCCESS => Ok(2),
            (Phase::Connect, _) => Ok(5),
            (Phase::Method | Phase::Password | Phase::Through | Phase::Failed, _) => Ok(2),
        }
    }

    fn on_reply(&mut self) -> Result<(), u8> {
        let reply = std::mem::take(&mut self.reply);
        match (self.phase, &self.login, &reply[..]) {
            (Phase::Method, _, &[VERSION, NO_PASSWORD]) => self.request(),
            (Phase::Method, Some(login), &[VERSION, PASSWORD]) => {
                let command = password(login);
                self.say(&command, Phase::Password);
            }
            (Phase::Password, _, &[PASSWORD_VERSION, SUCCESS]) => self.request(),
            (Phase::Password, _, &[PASSWORD_VERSION, refused]) => return Err(refused),
            (Phase::Connect, _, &[VERSION, SUCCESS, ..]) => self.phase = Phase::Through,
            (Phase::Connect, _, &[VERSION, refused, ..]) => return Err(refused),
            _ => return Err(NO_REPLY),
        }
        Ok(())
    }

    fn request(&mut self) {
        let mut command = vec![VERSION, CONNECT, 0];
        match &self.target.host {
            Host::V4(address) => {
                command.push(V4);
                command.extend_from_slice(&address.octets());
            }
            Host::V6(address, _) => {
                command.push(V6);
                command.extend_from_slice(&address.octets());
            }
            Host::Name(name) => push_text(&mut command, NAME, name),
            // No endpoint to connect to has it; the proxy will say what it thinks of it.
            Host::Any => push_text(&mut command, NAME, "*"),
        }
        command.extend_from_slice(&self.target.port.to_be_bytes());
        self.say(&command, Phase::Connect);
    }

    fn say(&mut self, command: &[u8], phase: Phase) {
        self.out.extend_from_slice(command);
        self.phase = phase;
    }

    fn is_through(&self) -> bool {
        self.phase == Phase::Through
    }
}

fn password(login: &Login) -> Vec<u8> {
    let mut command = Vec::new();
    push_text(&mut command, PASSWORD_VERSION, &login.username);
    let len = u8::try_from(login.password.len()).unwrap_or(u8::MAX);
    command.push(len);
    command.extend_from_slice(&login.password.as_bytes()[..len.into()]);
    command
}

/// A byte that tells what comes, and a text behind its length. Texts are checked for theirs where
/// they are set.
fn push_text(out: &mut Vec<u8>, what: u8, text: &str) {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.extend_from_slice(&[what, len]);
    out.extend_from_slice(&text.as_bytes()[..len.into()]);
}

impl Engine for Socks {
    fn handle_input(&mut self, input: &mut &[u8], room: u64, now: Instant) -> Option<Event> {
        if self.phase == Phase::Failed {
            *input = &[];
            return None;
        }
        if let Err(reply) = self.converse(input) {
            self.phase = Phase::Failed;
            return Some(Event::Failed(Failure::Proxy(reply)));
        }
        if self.is_through() {
            return self.inner.handle_input(input, room, now);
        }
        None
    }

    fn run<'a>(&'a self, taken: &'a [u8], run: record::Run) -> Received<'a> {
        self.inner.run(taken, run)
    }

    fn handle_verdict(&mut self, verdict: Verdict, now: Instant) -> Option<Event> {
        self.inner.handle_verdict(verdict, now)
    }

    fn body_space(&mut self) -> Option<&mut [u8]> {
        if self.is_through() {
            self.inner.body_space()
        } else {
            None
        }
    }

    fn handle_body(&mut self, n: usize, now: Instant) {
        self.inner.handle_body(n, now);
    }

    fn wants_messages(&self) -> bool {
        self.is_through() && self.inner.wants_messages()
    }

    fn push(&mut self, msg: Msg) {
        self.inner.push(msg);
    }

    fn run_max(&self) -> usize {
        self.inner.run_max()
    }

    fn push_run(&mut self, run: Frames<'_>) {
        self.inner.push_run(run);
    }

    fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        if self.is_through() {
            return self.inner.poll_transmit(slices);
        }
        match (slices.first_mut(), &self.out[self.sent..]) {
            (Some(slice), bytes) if !bytes.is_empty() => {
                *slice = IoSlice::new(bytes);
                1
            }
            _ => 0,
        }
    }

    fn handle_sent(&mut self, n: usize) {
        if self.is_through() {
            self.inner.handle_sent(n);
        } else {
            self.sent = self.out.len().min(self.sent + n);
        }
    }

    fn is_drained(&self) -> bool {
        if self.is_through() {
            self.inner.is_drained()
        } else {
            self.sent == self.out.len()
        }
    }

    fn shrink(&mut self) {
        self.inner.shrink();
    }

    fn gathers(&self) -> Option<Duration> {
        self.inner.gathers()
    }

    fn set_paused(&mut self, paused: bool, now: Instant) {
        self.inner.set_paused(paused, now);
    }

    /// The dialogue is a part of the handshake, and shares its time limit.
    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Failure> {
        self.inner.handle_timeout(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Options, SocketType};
    use crate::raw::RawEngine;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// An engine whose peer is raw, so that what goes through is seen as it is.
    fn socks(host: Host, login: Option<(&str, &str)>) -> Socks {
        let mut options = Options::new(SocketType::STREAM);
        options.stream_notify = false;
        let login = login.map(|(username, password)| Login {
            username: username.into(),
            password: password.into(),
        });
        let inner = Box::new(RawEngine::new(&options, None));
        Socks::new(HostPort { host, port: 0x1234 }, login, inner)
    }

    fn name(text: &str) -> Host {
        Host::Name(text.into())
    }

    /// What is to be sent now.
    fn said(socks: &mut Socks) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 4];
        let n = socks.poll_transmit(&mut slices);
        let bytes: Vec<u8> = slices[..n].iter().flat_map(|s| s.to_vec()).collect();
        socks.handle_sent(bytes.len());
        assert!(socks.is_drained());
        bytes
    }

    fn hear(socks: &mut Socks, bytes: &[u8]) -> Vec<Event> {
        let mut input = bytes;
        let events = std::iter::from_fn(|| socks.handle_input(&mut input, 1, Instant::now()));
        let events = events.collect();
        assert!(input.is_empty());
        events
    }

    #[track_caller]
    fn refused(events: &[Event]) -> u8 {
        match events {
            [Event::Failed(Failure::Proxy(reply))] => *reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_proxy_is_told_where_to_connect_to() {
        let v6 = "::1".parse().unwrap();
        let hosts = [
            (Host::V4([1, 2, 3, 4].into()), vec![1, 1, 2, 3, 4]),
            (Host::V6(v6, None), [&[4][..], &v6.octets()].concat()),
            (name("host"), b"\x03\x04host".to_vec()),
        ];
        for (host, address) in hosts {
            let mut socks = socks(host, None);
            assert_eq!(said(&mut socks), [5, 1, 0]);
            assert!(hear(&mut socks, &[5, 0]).is_empty());
            let request = [&[5, 1, 0][..], &address, &[0x12, 0x34]].concat();
            assert_eq!(said(&mut socks), request);
            assert!(!socks.wants_messages());
        }
    }

    #[test]
    fn who_has_a_name_is_asked_for_the_password_if_the_proxy_likes() {
        let mut socks = socks(name("h"), Some(("me", "secret")));
        assert_eq!(said(&mut socks), [5, 2, 0, 2]);
        assert!(hear(&mut socks, &[5, 2]).is_empty());
        assert_eq!(said(&mut socks), b"\x01\x02me\x06secret");
        assert!(hear(&mut socks, &[1, 0]).is_empty());
        assert!(said(&mut socks).starts_with(&[5, 1, 0]));
    }

    #[test]
    fn once_through_everything_is_the_engines_however_it_is_sliced() {
        let addresses = [
            vec![1, 0, 0, 0, 0],
            [&[4][..], &[0; 16]].concat(),
            b"\x03\x03abc".to_vec(),
        ];
        for address in addresses {
            let replies = [&[5, 0, 5, 0, 0][..], &address, &[0, 80], b"data"].concat();
            for step in 1..=replies.len() {
                let mut socks = socks(name("h"), None);
                let mut received = Vec::new();
                for piece in replies.chunks(step) {
                    for event in hear(&mut socks, piece) {
                        if let Event::Message(msg) = event {
                            received.extend_from_slice(&msg);
                        }
                    }
                }
                assert_eq!(received, b"data", "{step}");
                assert!(socks.wants_messages());
                socks.push("to the peer".into());
                assert_eq!(said(&mut socks), b"to the peer");
            }
        }
    }

    proptest! {
        #[test]
        fn a_proxy_can_say_anything(replies in vec(any::<u8>(), 0..40), step in 1..9usize) {
            let mut socks = socks(name("h"), Some(("me", "secret")));
            let mut failed = false;
            for piece in replies.chunks(step) {
                let events = hear(&mut socks, piece);
                prop_assert!(!failed || events.is_empty(), "something comes after the failure");
                failed |= events.iter().any(|event| matches!(event, Event::Failed(_)));
                said(&mut socks);
            }
            prop_assert!(socks.reply.len() < 4 + 1 + 255 + 2);
        }
    }

    #[test]
    fn a_proxy_that_refuses_is_given_up_with_its_reply() {
        let login = Some(("me", "wrong"));
        let connect = |reply: &[u8]| [&[5, 0][..], reply].concat();
        let cases: [(Option<_>, Vec<u8>, u8); 8] = [
            (None, vec![5, 0xFF], NO_REPLY),
            (None, vec![4, 0], NO_REPLY),
            (None, vec![5, 2], NO_REPLY),
            (login, vec![5, 2, 1, 7], 7),
            (login, vec![5, 2, 5, 0], NO_REPLY),
            (None, connect(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]), 5),
            (None, connect(&[5, 4]), 4),
            (None, connect(&[5, 0, 0, 9, 0]), NO_REPLY),
        ];
        for (login, replies, expected) in cases {
            let mut socks = socks(name("h"), login);
            let mut input = &replies[..];
            let event = socks.handle_input(&mut input, 1, Instant::now());
            assert_eq!(refused(&[event.unwrap()]), expected, "{replies:?}");
            assert!(hear(&mut socks, b"whatever").is_empty());
        }
    }
}
