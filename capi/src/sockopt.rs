//! Socket options by their numbers: the values of C, and the two functions.

mod get;
mod set;

use std::ffi::{c_int, c_void};
use std::time::Duration;

use crate::abi::Done;
use crate::errno::Errno;
use crate::socket::find;

/// The numbers of `zmq.h`.
pub(crate) mod number {
    use std::ffi::c_int;

    macro_rules! numbers {
        ($($name:ident = $number:expr;)*) => {$(pub(crate) const $name: c_int = $number;)*};
    }

    numbers! {
        AFFINITY = 4;
        ROUTING_ID = 5;
        SUBSCRIBE = 6;
        UNSUBSCRIBE = 7;
        RATE = 8;
        RECOVERY_IVL = 9;
        SNDBUF = 11;
        RCVBUF = 12;
        RCVMORE = 13;
        FD = 14;
        EVENTS = 15;
        TYPE = 16;
        LINGER = 17;
        RECONNECT_IVL = 18;
        BACKLOG = 19;
        RECONNECT_IVL_MAX = 21;
        MAXMSGSIZE = 22;
        SNDHWM = 23;
        RCVHWM = 24;
        MULTICAST_HOPS = 25;
        RCVTIMEO = 27;
        SNDTIMEO = 28;
        IPV4ONLY = 31;
        LAST_ENDPOINT = 32;
        ROUTER_MANDATORY = 33;
        TCP_KEEPALIVE = 34;
        TCP_KEEPALIVE_CNT = 35;
        TCP_KEEPALIVE_IDLE = 36;
        TCP_KEEPALIVE_INTVL = 37;
        TCP_ACCEPT_FILTER = 38;
        IMMEDIATE = 39;
        XPUB_VERBOSE = 40;
        ROUTER_RAW = 41;
        IPV6 = 42;
        MECHANISM = 43;
        PLAIN_SERVER = 44;
        PLAIN_USERNAME = 45;
        PLAIN_PASSWORD = 46;
        CURVE_SERVER = 47;
        CURVE_PUBLICKEY = 48;
        CURVE_SECRETKEY = 49;
        CURVE_SERVERKEY = 50;
        PROBE_ROUTER = 51;
        REQ_CORRELATE = 52;
        REQ_RELAXED = 53;
        CONFLATE = 54;
        ZAP_DOMAIN = 55;
        ROUTER_HANDOVER = 56;
        TOS = 57;
        IPC_FILTER_PID = 58;
        IPC_FILTER_UID = 59;
        IPC_FILTER_GID = 60;
        CONNECT_ROUTING_ID = 61;
        HANDSHAKE_IVL = 66;
        SOCKS_PROXY = 68;
        XPUB_NODROP = 69;
        XPUB_MANUAL = 71;
        XPUB_WELCOME_MSG = 72;
        STREAM_NOTIFY = 73;
        INVERT_MATCHING = 74;
        HEARTBEAT_IVL = 75;
        HEARTBEAT_TTL = 76;
        HEARTBEAT_TIMEOUT = 77;
        XPUB_VERBOSER = 78;
        CONNECT_TIMEOUT = 79;
        TCP_MAXRT = 80;
        THREAD_SAFE = 81;
        MULTICAST_MAXTPDU = 84;
        USE_FD = 89;
        BINDTODEVICE = 92;
        ZAP_ENFORCE_DOMAIN = 93;
        LOOPBACK_FASTPATH = 94;
        METADATA = 95;
        MULTICAST_LOOP = 96;
        ROUTER_NOTIFY = 97;
        XPUB_MANUAL_LAST_VALUE = 98;
        SOCKS_USERNAME = 99;
        SOCKS_PASSWORD = 100;
        IN_BATCH_SIZE = 101;
        OUT_BATCH_SIZE = 102;
        ONLY_FIRST_SUBSCRIBE = 108;
        RECONNECT_STOP = 109;
        HELLO_MSG = 110;
        DISCONNECT_MSG = 111;
        PRIORITY = 112;
        BUSY_POLL = 113;
        HICCUP_MSG = 114;
        XSUB_VERBOSE_UNSUBSCRIBE = 115;
        TOPICS_COUNT = 116;
    }
}

/// Options that are told back as they were set and mean nothing here: they are about transports
/// that libzmq takes options of, whether it was built with them or not.
#[derive(Debug)]
pub(crate) struct Told {
    rate: c_int,
    recovery_ivl: c_int,
    multicast_maxtpdu: c_int,
    loopback_fastpath: bool,
    /// On types that cannot conflate.
    conflate: bool,
    /// On types that match nothing.
    invert_matching: bool,
    /// Which of the two values was set that mean "never".
    no_reconnect: c_int,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            rate: 100,
            recovery_ivl: 10_000,
            multicast_maxtpdu: 1500,
            loopback_fastpath: false,
            conflate: false,
            invert_matching: false,
            no_reconnect: -1,
        }
    }
}

/// A value that C gave; `None` for a NULL.
#[derive(Clone, Copy, Debug)]
struct Value<'a>(Option<&'a [u8]>);

impl<'a> Value<'a> {
    fn bytes(self) -> Result<&'a [u8], Errno> {
        self.0.ok_or(Errno::INVALID)
    }

    fn fixed<const N: usize>(self) -> Result<[u8; N], Errno> {
        self.bytes()?.try_into().map_err(|_| Errno::INVALID)
    }

    fn int(self) -> Result<c_int, Errno> {
        self.fixed().map(c_int::from_ne_bytes)
    }

    /// An int of at least `min`.
    fn int_from(self, min: c_int) -> Result<c_int, Errno> {
        let value = self.int()?;
        if value < min {
            return Err(Errno::INVALID);
        }
        Ok(value)
    }

    fn natural(self) -> Result<u32, Errno> {
        u32::try_from(self.int()?).map_err(|_| Errno::INVALID)
    }

    /// 0 or 1.
    fn strict_bool(self) -> Result<bool, Errno> {
        match self.int()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Errno::INVALID),
        }
    }

    /// Any int that is not negative.
    fn natural_bool(self) -> Result<bool, Errno> {
        self.natural().map(|value| value != 0)
    }

    /// Any int.
    fn relaxed_bool(self) -> Result<bool, Errno> {
        self.int().map(|value| value != 0)
    }

    /// Milliseconds.
    fn time(self) -> Result<Duration, Errno> {
        self.natural()
            .map(|millis| Duration::from_millis(millis.into()))
    }

    /// Milliseconds; -1 is `None`.
    fn time_or_never(self) -> Result<Option<Duration>, Errno> {
        match self.int()? {
            -1 => Ok(None),
            _ => self.time().map(Some),
        }
    }

    /// A number; -1 is `None`.
    fn natural_or_default(self) -> Result<Option<u32>, Errno> {
        match self.int()? {
            -1 => Ok(None),
            _ => self.natural().map(Some),
        }
    }

    /// A text; a NUL may end it.
    fn text(self) -> Result<&'a str, Errno> {
        let bytes = self.bytes()?;
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        std::str::from_utf8(bytes).map_err(|_| Errno::INVALID)
    }

    /// A text with whatever is in it.
    fn whole_text(self) -> Result<&'a str, Errno> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Errno::INVALID)
    }

    /// Something; a NULL takes back what was set, and nothing is no value.
    fn or_null(self) -> Result<Option<Self>, Errno> {
        match self.0 {
            None => Ok(None),
            Some([]) => Err(Errno::INVALID),
            Some(_) => Ok(Some(self)),
        }
    }

    /// A text; none of length 0 takes back what was set.
    fn text_or_none(self) -> Result<Option<&'a str>, Errno> {
        match self.0 {
            None | Some([]) => Ok(None),
            Some(_) => self.whole_text().map(Some),
        }
    }
}

/// What an option's value is, for C.
#[derive(Clone, Debug)]
enum Found {
    Int(c_int),
    Long(u64),
    /// For which there may be more room than it needs.
    LooseInt(c_int),
    Bytes(Vec<u8>),
    /// With a NUL behind it.
    Text(Vec<u8>),
}

impl Found {
    fn text(text: &str) -> Self {
        Self::Text([text.as_bytes(), b"\0"].concat())
    }

    /// Writes it, and zeroes behind it. Returns how long it is.
    fn write(&self, mut place: Out<u8>, room: usize) -> Result<usize, Errno> {
        let (int, long);
        let (bytes, exact) = match self {
            Self::Int(value) => {
                int = value.to_ne_bytes();
                (&int[..], true)
            }
            Self::LooseInt(value) => {
                int = value.to_ne_bytes();
                (&int[..], false)
            }
            Self::Long(value) => {
                long = value.to_ne_bytes();
                (&long[..], true)
            }
            Self::Bytes(value) | Self::Text(value) => (&value[..], false),
        };
        if room < bytes.len() || (exact && room != bytes.len()) {
            return Err(Errno::INVALID);
        }
        let place = place.slice(room).ok_or(Errno::INVALID)?;
        let (here, behind) = place.split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        behind.fill(0);
        Ok(bytes.len())
    }
}

abi! {
    /// Sets an option.
    fn zmq_setsockopt(
        place: In<c_void>,
        option: c_int,
        value: In<c_void>,
        len: usize,
    ) -> Result<Done, Errno> {
        let mut open = find(place)?.lock()?;
        let value = if value.is_null() { None } else { value.bytes(len) };
        if value.is_none() && len > 0 {
            return Err(Errno::INVALID);
        }
        set::set(&mut open, option, Value(value)).map(|()| Done)
    }

    /// An option's value.
    fn zmq_getsockopt(
        place: In<c_void>,
        option: c_int,
        value: Out<u8>,
        len: Out<usize>,
    ) -> Result<Done, Errno> {
        let mut open = find(place)?.lock()?;
        let len = len.get().ok_or(Errno::INVALID)?;
        let found = get::get(&mut open, option, *len)?;
        *len = found.write(value, *len)?;
        Ok(Done)
    }
}
