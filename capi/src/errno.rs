//! Error numbers, and the functions about them.

use std::ffi::{c_char, c_int};
use std::ptr;

use ferrozmq::{Error, SendError};
use nix::libc;

use crate::abi::Text;

const HAUSNUMERO: c_int = 156_384_712;
pub(crate) const EFSM: c_int = HAUSNUMERO + 51;
pub(crate) const ENOCOMPATPROTO: c_int = HAUSNUMERO + 52;
pub(crate) const ETERM: c_int = HAUSNUMERO + 53;
pub(crate) const EMTHREAD: c_int = HAUSNUMERO + 54;

/// What a failed call leaves in `errno`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Errno(pub c_int);

impl Errno {
    pub(crate) const AGAIN: Self = Self(libc::EAGAIN);
    pub(crate) const BAD_FD: Self = Self(libc::EBADF);
    pub(crate) const FAULT: Self = Self(libc::EFAULT);
    pub(crate) const INTERRUPTED: Self = Self(libc::EINTR);
    pub(crate) const INVALID: Self = Self(libc::EINVAL);
    pub(crate) const NO_MEMORY: Self = Self(libc::ENOMEM);
    pub(crate) const NOT_A_SOCKET: Self = Self(libc::ENOTSOCK);
    pub(crate) const NOT_SUPPORTED: Self = Self(libc::ENOTSUP);
    pub(crate) const PROTOCOL_NOT_SUPPORTED: Self = Self(libc::EPROTONOSUPPORT);

    /// Leaves it in the thread's `errno`.
    pub(crate) fn set(self) {
        nix::errno::Errno::set_raw(self.0);
    }
}

impl From<Error> for Errno {
    fn from(error: Error) -> Self {
        Self(error.errno())
    }
}

impl From<SendError> for Errno {
    fn from(failed: SendError) -> Self {
        failed.error.into()
    }
}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Self {
        Self(errno as c_int)
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

abi! {
    /// The thread's `errno`, for programs whose C library is another one.
    fn zmq_errno() -> c_int {
        nix::errno::Errno::last_raw()
    }

    /// What an error number means; a static text.
    fn zmq_strerror(errno: c_int) -> Text {
        let own = match errno {
            EFSM => c"Operation cannot be accomplished in current state",
            ENOCOMPATPROTO => c"The protocol is not compatible with the socket type",
            ETERM => c"Context was terminated",
            EMTHREAD => c"No thread available",
            libc::EHOSTUNREACH => c"Host unreachable",
            _ => return Text(system_text(errno)),
        };
        Text(own.as_ptr())
    }

    /// The version of libzmq whose interface this is.
    fn zmq_version(major: Out<c_int>, minor: Out<c_int>, patch: Out<c_int>) -> () {
        for (mut place, number) in [major, minor, patch].into_iter().zip(VERSION) {
            place.put(number);
        }
    }
}

/// 4.3.6 is what libzmq's master calls itself.
pub(crate) const VERSION: [c_int; 3] = [4, 3, 6];

fn system_text(errno: c_int) -> *const c_char {
    // SAFETY: strerror takes any number. Its text may change with the next call, as libzmq's.
    let text = unsafe { libc::strerror(errno) };
    if text.is_null() { ptr::null() } else { text }
}
