//! The core driven by hand, without its thread.

use super::*;
use crate::command::{
    DatagramForm, DatagramSpec, EndpointId, LinkSpec, Parent, SessionSpec, SocketCmd,
};
use crate::io::connection::Input;
use crate::io::poller::Poller;
use crate::io::resolver::Resolver;
use crate::mailbox::Mailbox;
use crate::monitor::EventSink;
use crate::options::{Options, SharedOptions, SocketType};
use crate::signaler::ThreadStart;
use crate::ypipe::Pop;

/// A core, its mailbox, and the poller that it belongs to.
fn core() -> (IoCore, IoHandle, Poller) {
    let poller = Poller::new().unwrap();
    let handle = IoHandle::new();
    let cx = IoContext {
        thread: 0,
        registry: poller.registry().unwrap(),
        mailbox: handle.mailbox.clone(),
        resolver: Resolver::new("unused", ThreadStart::default()),
        input: Input::new(),
        now: poller::now(),
    };
    let core = IoCore::new(cx, Arc::new([handle.clone()]));
    (core, handle, poller)
}

fn turn(core: &mut IoCore) {
    core.wake_up(std::iter::empty());
}

/// A session for an accepted connection whose peer says nothing, and that peer.
fn silent_session(mailbox: &Arc<Mailbox<SocketCmd>>) -> (IoCmd, std::os::unix::net::UnixStream) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut options = Options::new(SocketType::PULL);
    options.handshake_interval = None;
    let spec = SessionSpec {
        parent: Parent {
            mailbox: mailbox.clone(),
            endpoint: EndpointId(1),
            options: SharedOptions::new(Arc::new(options)),
            events: EventSink::default(),
            doorkeeper: Arc::new(crate::command::Nobody),
            roster: Arc::default(),
            protocol: None,
        },
        link: LinkSpec::Accepted {
            socket: ours.into(),
            local: String::new(),
            peer: String::new(),
        },
        pipe: None,
    };
    (IoCmd::Launch(Box::new(spec)), theirs)
}

#[test]
fn at_the_end_a_session_that_its_socket_never_heard_of_holds_nothing_up() {
    let (mut core, handle, _poller) = core();
    let socket = Arc::new(Mailbox::new());
    let (launch, _silent) = silent_session(&socket);
    handle.launch(launch);
    turn(&mut core);
    assert_eq!(core.tenants.len(), 1);
    // The socket went without looking into its mailbox once more.
    socket.close();
    handle.mailbox.post(IoCmd::Stop);
    turn(&mut core);
    assert!(core.is_done());
}

#[test]
fn who_goes_on_is_in_the_next_round_once_however_often_it_was_run() {
    let (mut core, handle, _poller) = core();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    // Room for all of them.
    socket2::SockRef::from(&udp)
        .set_recv_buffer_size(1 << 20)
        .unwrap();
    for _ in 0..200 {
        udp.send_to(b"\0body", udp.local_addr().unwrap()).unwrap();
    }
    let (mut reader, pipe) = crate::pipe::pair(false);
    reader.set_hwm(0, 0);
    let spec = DatagramSpec {
        parent: Parent {
            mailbox: Arc::new(Mailbox::new()),
            endpoint: EndpointId(1),
            options: SharedOptions::new(Arc::new(Options::new(SocketType::DISH))),
            events: EventSink::default(),
            doorkeeper: Arc::new(crate::command::Nobody),
            roster: Arc::default(),
            protocol: None,
        },
        socket: udp.into(),
        form: DatagramForm::Receive,
        pipe,
    };
    handle.launch(IoCmd::Datagrams(Box::new(spec)));
    turn(&mut core);
    let [key] = core.again[..] else {
        panic!("there is more to receive");
    };
    let ready = Readiness {
        readable: true,
        writable: true,
        hangup: false,
    };
    core.on_readiness(key, ready);
    core.on_readiness(key, ready);
    assert_eq!(core.again, [key]);
    while !core.again.is_empty() {
        turn(&mut core);
    }
    let received = std::iter::from_fn(|| match reader.read() {
        Pop::Item(msg) => Some(msg),
        Pop::Empty | Pop::Finished => None,
    });
    assert!(received.map(|msg| msg.len()).eq([4; 200]));
}

/// A guest each of whose turns ends like this.
#[derive(Debug)]
struct Ends(Turn);

impl Guest for Ends {
    fn settle_in(&mut self, _signal: Arc<dyn crate::signaler::Signal>) {}

    fn turn(&mut self, _now: Instant) -> Turn {
        self.0
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn what_comes_gathers_for_as_long_as_all_would_have_it_until_there_is_something_to_do() {
    let (mut core, handle, _poller) = core();
    let short = Duration::from_micros(60);
    for turn in [Turn::Gather(2 * short), Turn::Gather(short), Turn::Idle] {
        handle.launch(IoCmd::Host(Box::new(Ends(turn))));
    }
    turn(&mut core);
    assert_eq!(core.gathers(), Some(short));
    // Whoever posts something does what is to be done, unless the thread has to.
    handle.mailbox.post(IoCmd::Turn(Key::from_bits(usize::MAX)));
    assert_eq!(core.gathers(), None);
    turn(&mut core);
    assert_eq!(core.gathers(), None, "it was for that time only");
    handle.launch(IoCmd::Host(Box::new(Ends(Turn::Gather(short)))));
    handle.launch(IoCmd::Host(Box::new(Ends(Turn::Again))));
    turn(&mut core);
    assert_eq!(core.gathers(), None, "somebody goes on");
}
