//! SERVER and CLIENT: questions that several threads ask through one socket.

use std::thread;

use ferrozmq::{Ctx, Msg, Result, SharedSocket, Socket, SocketType};

const QUESTIONS: usize = 100;

/// Answers each question to the client that it came from.
fn serve(server: &Socket, count: usize) -> Result<()> {
    for _ in 0..count {
        let question = server.recv_msg(0)?;
        let mut answer = Msg::from(format!("{} was heard", question.as_str().unwrap_or("?")));
        answer.set_routing_id(question.routing_id())?;
        server.send(answer, 0)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let server = ctx.socket(SocketType::SERVER)?;
    server.bind("tcp://127.0.0.1:*")?;
    let client = ctx.socket(SocketType::CLIENT)?;
    client.connect(&server.last_endpoint())?;
    let serving = thread::spawn(move || serve(&server, 2 * QUESTIONS));

    // Two threads ask, a third takes the answers, all through the same connection.
    let client = SharedSocket::new(client);
    let heard = thread::scope(|scope| {
        for name in ["one", "another"] {
            let client = &client;
            scope.spawn(move || (0..QUESTIONS).try_for_each(|_| client.send(name, 0)));
        }
        let answers = scope.spawn(|| (0..2 * QUESTIONS).map(|_| client.recv_msg(0)).collect());
        let answers: Result<Vec<Msg>> = answers.join().expect("no thread panics");
        answers
    })?;
    let of_one = heard.iter().filter(|answer| **answer == "one was heard");
    println!(
        "{} answers, {} of them to one",
        heard.len(),
        of_one.clone().count()
    );
    assert_eq!(of_one.count(), QUESTIONS);
    serving.join().expect("the server does not panic")
}
