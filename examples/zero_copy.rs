//! Large bodies without copies: a message can borrow memory that belongs to somebody else, who is
//! told when nobody needs it any more.

use ferrozmq::{Ctx, Msg, Result, SocketType};

/// Memory that did not come from Rust's allocator, such as a mapped file or a frame grabber's.
struct Picture {
    pixels: Box<[u8]>,
    freed: crossbeam_channel::Sender<usize>,
}

impl AsRef<[u8]> for Picture {
    fn as_ref(&self) -> &[u8] {
        &self.pixels
    }
}

impl Drop for Picture {
    /// Runs on whichever thread is the last to need the memory.
    fn drop(&mut self) {
        let _ = self.freed.send(self.pixels.len());
    }
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let publisher = ctx.socket(SocketType::PUB)?;
    publisher.bind("inproc://pictures")?;
    let viewers = [ctx.socket(SocketType::SUB)?, ctx.socket(SocketType::SUB)?];
    for viewer in &viewers {
        viewer.connect("inproc://pictures")?;
        viewer.set_subscribe(b"")?;
    }

    let (freed, when_freed) = crossbeam_channel::unbounded();
    let pixels = vec![7; 4 << 20].into_boxed_slice();
    let at = pixels.as_ptr();
    publisher.send(Msg::from_owner(Picture { pixels, freed }), 0)?;
    for viewer in &viewers {
        let picture = viewer.recv_msg(0)?;
        assert_eq!(picture.as_ptr(), at, "the very same memory");
        println!(
            "a viewer has {} bytes, shared: {}",
            picture.len(),
            picture.is_shared()
        );
        // A part of it as a message of its own: the memory lives as long as the longest user.
        let row = Msg::from(picture.into_bytes().slice(..1024));
        println!("    and keeps the first {}", row.len());
    }
    println!(
        "{} bytes are free again",
        when_freed.recv().expect("the last viewer is done")
    );

    let greeting = Msg::from_static(b"text that is part of the program is not copied either, ever");
    println!("{}", greeting.as_str().unwrap_or("?"));
    Ok(())
}
