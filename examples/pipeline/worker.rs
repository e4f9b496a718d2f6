//! A worker: takes chunks of text, counts their words, sends the counts on.

use ferrozmq::{Ctx, POLLIN, SocketType, poll};

use crate::words::{self, Counts};

/// Where a worker finds its work, its sink and its control.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Stations {
    /// Where the chunks come from.
    #[arg(long)]
    pub(crate) work: String,
    /// Where the counts go.
    #[arg(long)]
    pub(crate) sink: String,
    /// Where the word to stop comes from.
    #[arg(long)]
    pub(crate) control: String,
}

/// Works until told to stop. The subscription to the control is also how the worker reports that
/// it is there, so it comes last.
pub(crate) fn run(ctx: &Ctx, number: u32, stations: &Stations) -> ferrozmq::Result<()> {
    let work = ctx.socket(SocketType::PULL)?;
    work.connect(&stations.work)?;
    let sink = ctx.socket(SocketType::PUSH)?;
    sink.connect(&stations.sink)?;
    let control = ctx.socket(SocketType::SUB)?;
    control.connect(&stations.control)?;
    control.set_subscribe(b"")?;
    loop {
        let mut items = [work.as_poll_item(POLLIN), control.as_poll_item(POLLIN)];
        poll(&mut items, None)?;
        let [has_work, is_over] = items.map(|item| item.is_readable());
        if has_work {
            let chunk = work.recv_msg(0)?;
            let mut counts = Counts::new();
            words::count(&chunk, &mut counts);
            let report = [number.to_le_bytes(), (chunk.len() as u32).to_le_bytes()].concat();
            sink.send_multipart([report, words::encode(&counts)], 0)?;
        } else if is_over {
            return Ok(());
        }
    }
}
