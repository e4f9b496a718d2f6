//! [`Message`]: what one call can send, a frame or the frames of a message.

use crate::error::{Error, Result};
use crate::msg::Msg;
use crate::socket::Multipart;

/// What one call can send: a [`Msg`], which is a message of one frame, or the frames of a message
/// as a [`Multipart`]. The futures of sends are generic over it; nobody else can implement it.
pub trait Message: sealed::Frames {}

impl Message for Msg {}
impl Message for Multipart {}

pub(crate) mod sealed {
    use super::{Msg, Multipart, Result};

    /// A message and its frames.
    #[allow(unnameable_types, reason = "that is what seals `Message`")]
    pub trait Frames: Sized + Unpin {
        /// Sets the MORE flags.
        ///
        /// # Errors
        /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if there are no frames.
        fn join(&mut self) -> Result<()>;

        /// Has the frames taken one after the other; what is left of them is of no use. Only the
        /// first can be refused: where it fits, the others do.
        ///
        /// # Errors
        /// Why a frame was refused; it and those behind it are left.
        fn hand_over<E>(
            &mut self,
            take: impl FnMut(&mut Msg) -> std::result::Result<(), E>,
        ) -> std::result::Result<(), E>;

        /// The frames.
        fn into_frames(self) -> Multipart;
    }
}

impl sealed::Frames for Msg {
    fn join(&mut self) -> Result<()> {
        self.set_more(false);
        Ok(())
    }

    fn hand_over<E>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        take(self)
    }

    fn into_frames(self) -> Multipart {
        std::iter::once(self).collect()
    }
}

impl sealed::Frames for Multipart {
    fn join(&mut self) -> Result<()> {
        join(self, false)
    }

    fn hand_over<E>(
        &mut self,
        mut take: impl FnMut(&mut Msg) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        for (taken, frame) in self.iter_mut().enumerate() {
            if let Err(refused) = take(frame) {
                self.drain(..taken);
                return Err(refused);
            }
        }
        Ok(())
    }

    fn into_frames(self) -> Multipart {
        self
    }
}

/// Makes frames one message, which may go on behind them.
///
/// # Errors
/// [`Error::InvalidArgument`] if there are none.
pub(crate) fn join(frames: &mut Multipart, more: bool) -> Result<()> {
    let Some(last) = frames.len().checked_sub(1) else {
        return Err(Error::InvalidArgument("a message has at least one frame"));
    };
    for (n, frame) in frames.iter_mut().enumerate() {
        frame.set_more(n != last || more);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::sealed::Frames;
    use super::*;

    #[test]
    fn a_refused_frame_is_left_with_those_behind_it() {
        let mut message: Multipart = ["1", "2", "3"].map(Msg::from).into_iter().collect();
        let refused = message.hand_over(|frame| {
            if *frame == *"2" {
                return Err("full");
            }
            *frame = Msg::new();
            Ok(())
        });
        assert_eq!(refused, Err("full"));
        assert_eq!(message[..], ["2", "3"].map(Msg::from));
    }
}
