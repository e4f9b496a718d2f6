//! What `benches/instructions.sh` counts: a message from one PAIR to another over inproc, COUNT
//! times, by the calls that copy from and to the caller's memory. `benches/pair.c` is the same in C.
//!
//!     pair COUNT SIZE

use ferrozmq::{Ctx, Result, SocketType};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let (Some(Ok(count)), Some(Ok(size))) = (arguments.next(), arguments.next()) else {
        panic!("pair COUNT SIZE");
    };
    let ctx = Ctx::new();
    let (from, to) = (ctx.socket(SocketType::PAIR)?, ctx.socket(SocketType::PAIR)?);
    to.bind("inproc://pair")?;
    from.connect("inproc://pair")?;
    let body = vec![7; size];
    let mut buffer = vec![0; size];
    for _ in 0..count {
        from.send(&body[..], 0)?;
        assert_eq!(to.recv_into(&mut buffer, 0)?, size);
    }
    Ok(())
}
