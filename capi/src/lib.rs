//! The C interface of libzmq, version 4.3, over ferrozmq: what `libzmq.so.5` is to a program.
//!
//! Each function of `zmq.h` stands in the file of its subject, inside `abi!`, which makes a
//! C function of a safe one: it checks no pointer itself, but gives each a type that knows what may
//! be done with it, turns errors into `errno`, and lets no panic out. What waits, waits here and
//! not in the engine, because a signal has to end it (`bell.rs`).
//!
//! # Unsafe
//!
//! * **A1** What C passes is as `zmq.h` demands: a pointer is NULL, or may be read, or written,
//!   for what the function does with it, for as long as the call takes; a text ends with a NUL.
//! * **A2** A handle's memory is never given back (`handle.rs`), so that a stale handle can be
//!   looked at; and it begins with a tag, which tells whether it is still one.
//! * **A3** A `zmq_msg_t` that was initialised holds an `Option<Msg>`: `None` once it is closed.
//! * **A4** Memory, functions and arguments given for later (`zmq_msg_init_data`,
//!   `zmq_send_const`, timers, threads) stay valid until they are used, and may be used on any
//!   thread.

#![allow(unsafe_code, reason = "the boundary to C: A1 to A4 above")]

#[macro_use]
mod abi;
mod errno;
mod frees;
mod handle;
mod bell;
mod ctx;
mod msg;
mod socket;
mod sockopt;
mod poll;
mod poller;
mod timers;
mod proxy;
mod monitor;
mod draft;
mod codec;
mod util;
