//! RADIO and DISH: groups, over udp, where a datagram is sent once and received by whoever listens.

use std::time::Duration;

use ferrozmq::{Ctx, Msg, POLLIN, Result, SocketType};

fn in_group(group: &str, body: &str) -> Result<Msg> {
    let mut msg = Msg::from(body);
    msg.set_group(group)?;
    Ok(msg)
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    // A multicast group would do as well: udp://eth0;239.0.0.1:5555.
    let dish = ctx.socket(SocketType::DISH)?;
    dish.bind("udp://127.0.0.1:*")?;
    dish.join("weather")?;
    let radio = ctx.socket(SocketType::RADIO)?;
    radio.connect(&dish.last_endpoint())?;

    for hour in 0..24 {
        radio.send(in_group("weather", &format!("{hour}:00 mild"))?, 0)?;
        radio.send(in_group("sports", "nil all")?, 0)?;
    }
    let mut reports = 0;
    // A datagram may be lost: nobody waits for the last one for ever.
    while reports < 24 && dish.poll(POLLIN, Some(Duration::from_secs(1)))? == POLLIN {
        let report = dish.recv_msg(0)?;
        assert_eq!(report.group(), "weather");
        reports += 1;
    }
    println!("{reports} of 24 weather reports were received, and no sports");
    assert!(reports > 0);
    Ok(())
}
