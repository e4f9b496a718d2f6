//! STREAM: plain tcp connections as peers of one socket, here a web server of one page.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use ferrozmq::{Ctx, Msg, Result, Socket, SocketType};

/// Answers one request. Each message is the routing id of a connection and a run of its bytes; an
/// empty run tells that the connection has come or gone, and closes it when it is sent.
fn serve(server: &Socket) -> Result<()> {
    let mut request = Vec::new();
    loop {
        let [connection, bytes] = &server.recv_multipart(0)?[..] else {
            continue;
        };
        request.extend_from_slice(bytes);
        if request.ends_with(b"\r\n\r\n") {
            let path = request.split(|byte| *byte == b' ').nth(1).unwrap_or(b"?");
            let page = format!("This is {}.\n", path.escape_ascii());
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
            server.send_multipart([connection.clone(), (head + &page).into()], 0)?;
            server.send_multipart([connection.clone(), Msg::new()], 0)?;
            return Ok(());
        }
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let ctx = Ctx::new();
    let server = ctx.socket(SocketType::STREAM)?;
    server.bind("tcp://127.0.0.1:*")?;
    let endpoint = server.last_endpoint();
    let serving = thread::spawn(move || serve(&server));

    let mut browser = TcpStream::connect(endpoint.trim_start_matches("tcp://"))?;
    browser.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    browser.read_to_string(&mut answer)?;
    println!("{answer}");
    assert!(answer.ends_with("This is /index.html.\n"));
    Ok(serving.join().expect("the server does not panic")?)
}
