//! REQ and REP: a question, an answer, and nothing else in between.

use ferrozmq::SocketType::{DEALER, REP, REQ, ROUTER};
use ferrozmq::{DONTWAIT, Error, POLLIN, POLLOUT, Socket};

use crate::common::{
    LIMIT, Rig, SHORT, link, recv, recv_all, recv_from, send, send_to, wait_until,
};
use crate::on_each_transport;

on_each_transport!(
    question_and_answer_alternate,
    messages_of_many_frames_stay_whole,
    questions_go_to_the_peers_in_turn,
    many_can_ask_one,
    a_relaxed_asker_asks_again,
    a_numbered_question_takes_no_late_answer,
    without_numbers_a_late_answer_counts,
    what_was_not_asked_for_is_not_received,
    an_answer_without_an_envelope_is_dropped,
    a_question_without_an_envelope_is_dropped,
    the_envelope_finds_its_way_back_through_routers,
    an_answer_to_nobody_is_dropped,
    a_dealer_may_ask_ahead,
    who_loses_its_peer_waits_unless_relaxed,
    what_can_be_done_shows_in_the_events,
);

fn question_and_answer_alternate(rig: &Rig) {
    let (rep, req) = rig.pair(REP, REQ);
    assert!(matches!(req.recv_msg(0), Err(Error::Fsm)));
    assert!(matches!(rep.send("x", 0).unwrap_err().error, Error::Fsm));
    for n in 0..100 {
        send(&req, &[&format!("question {n}")]);
        let refused = req.send("impatient", 0).unwrap_err();
        assert!(matches!(refused.error, Error::Fsm));
        assert_eq!(refused.message, "impatient");
        assert_eq!(recv(&rep), [format!("question {n}")]);
        assert!(matches!(rep.recv_msg(0), Err(Error::Fsm)));
        send(&rep, &[&format!("answer {n}")]);
        assert_eq!(recv(&req), [format!("answer {n}")]);
    }
}

fn messages_of_many_frames_stay_whole(rig: &Rig) {
    let (rep, req) = rig.pair(REP, REQ);
    for frames in [&["", "a", ""][..], &["", ""], &[""]] {
        send(&req, frames);
        assert_eq!(recv(&rep), frames);
        send(&rep, frames);
        assert_eq!(recv(&req), frames);
    }
    send(&req, &["1", "2"]);
    assert_eq!(rep.recv_string(0).unwrap(), "1");
    assert!(matches!(
        rep.send("too early", 0).unwrap_err().error,
        Error::Fsm
    ));
    assert_eq!(rep.recv_string(0).unwrap(), "2");
    send(&rep, &["3"]);
    assert_eq!(recv(&req), ["3"]);
}

fn questions_go_to_the_peers_in_turn(rig: &Rig) {
    let req = rig.bound(REQ);
    let reps = [(); 3].map(|()| rig.connected(REP, &req));
    for _ in 0..2 {
        let mut asked = [false; 3];
        for _ in 0..3 {
            send(&req, &["who?"]);
            let mut items = [0, 1, 2].map(|n| reps[n].as_poll_item(POLLIN));
            assert_eq!(ferrozmq::poll(&mut items, Some(LIMIT)).unwrap(), 1);
            let n = items.iter().position(|item| item.is_readable()).unwrap();
            assert_eq!(recv(&reps[n]), ["who?"]);
            send(&reps[n], &[&n.to_string()]);
            assert_eq!(recv(&req), [n.to_string()]);
            assert!(!std::mem::replace(&mut asked[n], true), "each has its turn");
        }
    }
}

fn many_can_ask_one(rig: &Rig) {
    const QUESTIONS: usize = 50;
    let rep = rig.bound(REP);
    let askers = [(); 5].map(|()| rig.connected(REQ, &rep));
    std::thread::scope(|scope| {
        for (who, req) in askers.into_iter().enumerate() {
            scope.spawn(move || {
                for n in 0..QUESTIONS {
                    let question = format!("{who}:{n}");
                    send(&req, &[&question]);
                    assert_eq!(recv(&req), [format!("answer to {question}")]);
                }
            });
        }
        for _ in 0..5 * QUESTIONS {
            let question = recv(&rep).remove(0);
            send(&rep, &[&format!("answer to {question}")]);
        }
    });
}

/// A REQ, and the ROUTER that is to answer it by hand.
fn asker(rig: &Rig, relaxed: bool, correlate: bool) -> (Socket, Socket) {
    let router = rig.bound(ROUTER);
    let req = rig.socket(REQ);
    req.set_identity(b"req").unwrap();
    req.set_req_relaxed(relaxed).unwrap();
    req.set_req_correlate(correlate).unwrap();
    link(&router, &req);
    (req, router)
}

fn a_relaxed_asker_asks_again(rig: &Rig) {
    let (req, router) = asker(rig, true, false);
    send(&req, &["1"]);
    send(&req, &["2"]);
    for question in ["1", "2"] {
        assert_eq!(recv(&router), ["req", "", question]);
    }
    send(&router, &["req", "", "answer"]);
    assert_eq!(recv(&req), ["answer"]);
    assert!(matches!(req.recv_msg(0), Err(Error::Fsm)));
}

fn a_numbered_question_takes_no_late_answer(rig: &Rig) {
    let (req, router) = asker(rig, true, true);
    let ask = |question: &str| {
        send(&req, &[question]);
        let frames = router.recv_multipart(0).unwrap();
        assert_eq!(frames.len(), 4);
        assert_eq!((frames[1].len(), frames[2].len()), (4, 0));
        assert_eq!(frames[3], question);
        frames[1].to_vec()
    };
    let (first, second) = (ask("1"), ask("2"));
    assert_ne!(first, second);
    for (number, answer) in [
        (&first, "late"),
        (&b"none".to_vec(), "wrong"),
        (&second, "right"),
    ] {
        let frames = [b"req", &number[..], b"", answer.as_bytes()];
        router.send_multipart(frames, 0).unwrap();
    }
    assert_eq!(recv(&req), ["right"]);
}

fn without_numbers_a_late_answer_counts(rig: &Rig) {
    let (req, router) = asker(rig, true, false);
    for question in ["1", "2"] {
        send(&req, &[question]);
        assert_eq!(recv(&router), ["req", "", question]);
    }
    send(&router, &["req", "", "answer to 1"]);
    assert_eq!(recv(&req), ["answer to 1"]);
}

fn what_was_not_asked_for_is_not_received(rig: &Rig) {
    let routers = [(); 2].map(|()| rig.bound(ROUTER));
    let req = rig.socket(REQ);
    req.set_identity(b"req").unwrap();
    for router in &routers {
        link(router, &req);
    }
    send(&req, &["1"]);
    let mut items = [0, 1].map(|n| routers[n].as_poll_item(POLLIN));
    assert_eq!(ferrozmq::poll(&mut items, Some(LIMIT)).unwrap(), 1);
    let n = usize::from(items[1].is_readable());
    let (asked, other) = (&routers[n], &routers[1 - n]);
    assert_eq!(recv(asked), ["req", "", "1"]);
    send(other, &["req", "", "not asked"]);
    send(asked, &["req", "", "answer"]);
    assert_eq!(recv(&req), ["answer"]);
    // The next question goes to the other, and what it said before was no answer to that.
    send(&req, &["2"]);
    assert_eq!(recv(other), ["req", "", "2"]);
    send(other, &["req", "", "answer to 2"]);
    let answer = recv(&req);
    // It may have been said after the question was asked, for all that REQ can know.
    assert!(answer == ["answer to 2"] || !rig.is_inproc() && answer == ["not asked"]);
}

fn an_answer_without_an_envelope_is_dropped(rig: &Rig) {
    let (req, router) = asker(rig, false, false);
    send(&req, &["1"]);
    assert_eq!(recv(&router), ["req", "", "1"]);
    for malformed in [
        &["req", "no delimiter"][..],
        &["req", ""],
        &["req", "no", "", "x"],
    ] {
        send(&router, malformed);
    }
    send(&router, &["req", "", "answer"]);
    assert_eq!(recv(&req), ["answer"]);
}

fn a_question_without_an_envelope_is_dropped(rig: &Rig) {
    let (rep, dealer) = rig.pair(REP, DEALER);
    for frames in [&["no delimiter"][..], &["two", "frames"], &[""], &["x", ""]] {
        send(&dealer, frames);
    }
    send(&dealer, &["", "question"]);
    assert_eq!(recv(&rep), ["question"]);
    send(&rep, &["answer"]);
    assert_eq!(recv(&dealer), ["", "answer"]);
}

/// Carries messages both ways between two sockets until there is one to be received.
fn carry_until_readable(hops: &[(Socket, Socket)], goal: &Socket) {
    wait_until(|| {
        for (front, back) in hops {
            for (from, to) in [(front, back), (back, front)] {
                while let Ok(frames) = from.recv_multipart(DONTWAIT) {
                    to.send_multipart(frames, 0).unwrap();
                }
            }
        }
        goal.get_events().unwrap() & POLLIN != 0
    });
}

fn the_envelope_finds_its_way_back_through_routers(rig: &Rig) {
    let hops = [(); 3].map(|()| (rig.bound(ROUTER), rig.socket(DEALER)));
    let rep = rig.bound(REP);
    for (n, (_, dealer)) in hops.iter().enumerate() {
        link(hops.get(n + 1).map_or(&rep, |(router, _)| router), dealer);
    }
    let askers = [(); 2].map(|()| rig.connected(REQ, &hops[0].0));
    for round in ["1", "2"] {
        for (n, req) in askers.iter().enumerate() {
            send(req, &[&n.to_string(), "", round]);
        }
        for _ in 0..2 {
            carry_until_readable(&hops, &rep);
            let question = recv(&rep);
            send(&rep, &["answer", &question[0], &question[2]]);
        }
        for (n, req) in askers.iter().enumerate() {
            carry_until_readable(&hops, req);
            assert_eq!(recv(req), ["answer", &n.to_string(), round]);
        }
    }
}

fn an_answer_to_nobody_is_dropped(rig: &Rig) {
    let (rep, leaving) = rig.pair(REP, DEALER);
    send(&leaving, &["", "question"]);
    assert_eq!(recv(&rep), ["question"]);
    drop(leaving);
    let staying = rig.connected(REQ, &rep);
    send(&rep, &["answer", "of two frames"]);
    send(&staying, &["question"]);
    assert_eq!(recv(&rep), ["question"]);
    send(&rep, &["answer"]);
    assert_eq!(recv(&staying), ["answer"]);
}

fn a_dealer_may_ask_ahead(rig: &Rig) {
    let (rep, dealer) = rig.pair(REP, DEALER);
    for n in 0..10 {
        send(&dealer, &["", &n.to_string()]);
    }
    for _ in 0..10 {
        let question = recv(&rep).remove(0);
        send(&rep, &[&question]);
    }
    for n in 0..10 {
        assert_eq!(recv(&dealer), ["", &n.to_string()]);
    }
    // The way of a question need not be of routing ids.
    send(&dealer, &["any", "frames", "", "question"]);
    assert_eq!(recv(&rep), ["question"]);
    send(&rep, &["answer"]);
    assert_eq!(recv(&dealer), ["any", "frames", "", "answer"]);
}

fn who_loses_its_peer_waits_unless_relaxed(rig: &Rig) {
    let req = rig.bound(REQ);
    let leaving = rig.connected(REP, &req);
    send(&req, &["lost"]);
    assert_eq!(recv(&leaving), ["lost"]);
    drop(leaving);
    let staying = rig.connected(REP, &req);
    wait_until(|| {
        req.set_rcvtimeo(Some(SHORT)).unwrap();
        matches!(req.recv_msg(0), Err(Error::Again))
    });
    assert!(matches!(req.send("x", 0).unwrap_err().error, Error::Fsm));
    req.set_rcvtimeo(Some(LIMIT)).unwrap();
    req.set_req_relaxed(true).unwrap();
    // The loss of the first may not be known yet; then the question is lost as well.
    wait_until(|| {
        send(&req, &["again"]);
        staying.poll(POLLIN, Some(SHORT)).unwrap() == POLLIN
    });
    assert_eq!(recv(&staying), ["again"]);
    send(&staying, &["answer"]);
    assert_eq!(recv(&req), ["answer"]);
    // If it took its time, it was asked again.
    assert!(recv_all(&staying).iter().all(|asked| *asked == ["again"]));
}

fn what_can_be_done_shows_in_the_events(rig: &Rig) {
    let rep = rig.bound(REP);
    let req = rig.socket(REQ);
    assert_eq!(
        (req.get_events().unwrap(), rep.get_events().unwrap()),
        (0, 0)
    );
    link(&rep, &req);
    assert_eq!(
        (req.get_events().unwrap(), rep.get_events().unwrap()),
        (POLLOUT, 0)
    );
    send(&req, &["question"]);
    assert_eq!(req.get_events().unwrap(), 0);
    assert_eq!(rep.poll(POLLIN | POLLOUT, Some(LIMIT)).unwrap(), POLLIN);
    recv(&rep);
    assert_eq!(rep.get_events().unwrap(), POLLOUT);
    send(&rep, &["answer"]);
    assert_eq!(rep.get_events().unwrap(), 0);
    assert_eq!(req.poll(POLLIN | POLLOUT, Some(LIMIT)).unwrap(), POLLIN);
    recv(&req);
    assert_eq!(req.get_events().unwrap(), POLLOUT);
}

/// Routing ids of an asker's own choice are what a ROUTER sees.
#[test]
fn a_router_sees_what_an_asker_sends() {
    let rig = Rig::new(crate::common::Transport::Tcp);
    let (router, req) = rig.pair(ROUTER, REQ);
    send(&req, &["question"]);
    let (id, frames) = recv_from(&router);
    assert_eq!(frames, ["", "question"]);
    send_to(&router, &id, &["", "answer"]);
    assert_eq!(recv(&req), ["answer"]);
}
