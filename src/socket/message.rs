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

        /// Gives the frames away one after the other. Only the first can be refused: where it
        /// fits, the others do.
        fn hand_over<E>(
            self,
            take: impl FnMut(Msg) -> std::result::Result<(), (E, Msg)>,
        ) -> std::result::Result<(), (E, Self)>;

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
        self,
        mut take: impl FnMut(Self) -> std::result::Result<(), (E, Self)>,
    ) -> std::result::Result<(), (E, Self)> {
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
        mut self,
        mut take: impl FnMut(Msg) -> std::result::Result<(), (E, Msg)>,
    ) -> std::result::Result<(), (E, Self)> {
        let mut rest = self.drain(..);
        while let Some(frame) = rest.next() {
            if let Err((refused, frame)) = take(frame) {
                return Err((refused, std::iter::once(frame).chain(rest).collect()));
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
