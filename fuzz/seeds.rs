//! Writes what real handshakes say to `seeds/`, a directory for each fuzz target:
//! `RUSTFLAGS="--cfg fuzzing" cargo run --bin seeds`, in `fuzz/`. With it, a fuzzer begins with
//! commands that are taken, since all its runs have the same keys.

use std::{fs, io};

fn main() -> io::Result<()> {
    for (target, body) in ferrozmq::fuzzing::genuine_commands() {
        let directory = format!("{}/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(&directory)?;
        // As it is; altered in no way; and, for CURVE, as the text of a box.
        fs::write(format!("{directory}/genuine"), [&[0], &body[..]].concat())?;
        fs::write(format!("{directory}/unaltered"), [1])?;
        if target.starts_with("curve") {
            let text = [&[2, 0], &b"\x0BSocket-Type\0\0\0\x06DEALER"[..]].concat();
            fs::write(format!("{directory}/text"), text)?;
        }
    }
    for target in ["null_error", "plain_error", "curve_error"] {
        let directory = format!("{}/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(&directory)?;
        for (turn, reason) in (0..).zip([&b"\x03400"[..], b"\x03300", b"\x07go away", b"\0", b""]) {
            fs::write(format!("{directory}/{turn}"), [&[turn], reason].concat())?;
        }
    }
    Ok(())
}
