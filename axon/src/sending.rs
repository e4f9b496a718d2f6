//! From arguments to a frame, without an allocation where that can be.

use std::cell::Cell;

use ferrozmq::Msg;

use crate::error::Result;
use crate::value::{Encoder, ToArgs};

thread_local! {
    static ENCODER: Cell<Option<Box<Encoder>>> = const { Cell::new(None) };
}

/// Encodes a message and sends it. What `send` leaves in the frame is used for the next message.
#[inline]
pub(crate) fn encoded<T>(
    args: &(impl ToArgs + ?Sized),
    send: impl FnOnce(&mut Msg) -> Result<T>,
) -> Result<T> {
    encoded_by(|encoder| encoder.args(args).map(drop), send)
}

/// As [`encoded`], of a message that is made by hand.
#[inline]
pub(crate) fn encoded_by<T>(
    encode: impl FnOnce(&mut Encoder) -> std::result::Result<(), crate::EncodeError>,
    send: impl FnOnce(&mut Msg) -> Result<T>,
) -> Result<T> {
    // It is taken out while it is used: arguments are the application's, and may send as well.
    let mut encoder = ENCODER
        .try_with(Cell::take)
        .ok()
        .flatten()
        .unwrap_or_default();
    encoder.clear();
    encode(&mut encoder)?;
    let outcome = send(encoder.finish_msg()?);
    // Without thread-locals, in a destructor of one, the next has to make do as well.
    let _ = ENCODER.try_with(|place| place.set(Some(encoder)));
    outcome
}
