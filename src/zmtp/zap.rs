//! ZAP's requests and replies as frames (RFC 27).
//!
//! Only values to frames and back; whom they travel to, and how long that may take, is the
//! session's business.

use crate::error::ZapError;
use crate::msg::{Metadata, Msg};
use crate::zap::{AuthRequest, Credentials, Verdict};
use crate::zmtp::command;

const VERSION: &[u8] = b"1.0";
/// Each request has a pipe of its own, so one number is enough.
const REQUEST_ID: &[u8] = b"1";
const REPLY_LEN: usize = 7;

/// The frames of a request, the envelope's delimiter first.
pub(crate) fn request(request: &AuthRequest) -> Vec<Msg> {
    let mechanism = request.credentials.mechanism().name();
    let mut frames = vec![
        Msg::new(),
        VERSION.into(),
        REQUEST_ID.into(),
        Msg::from(&request.domain),
        Msg::from(&request.address),
        Msg::from(request.routing_id.clone()),
        Msg::from(mechanism),
    ];
    match &request.credentials {
        Credentials::Null => {}
        Credentials::Plain { username, password } => {
            frames.extend([username.clone().into(), password.clone().into()]);
        }
        Credentials::Curve { public_key } => frames.push(Msg::copied(public_key.as_bytes())),
    }
    let last = frames.len() - 1;
    for frame in &mut frames[..last] {
        frame.set_more(true);
    }
    frames
}

/// What a reply says.
pub(crate) fn verdict(reply: &[Msg]) -> Verdict {
    parse(reply).unwrap_or_else(Verdict::Failed)
}

fn parse(reply: &[Msg]) -> Result<Verdict, ZapError> {
    let reply: &[Msg; REPLY_LEN] = reply.try_into().map_err(|_| ZapError::MalformedReply)?;
    let [delimiter, version, id, status, _text, user_id, metadata] = reply;
    if !delimiter.is_empty() {
        return Err(ZapError::MalformedReply);
    }
    if version.as_bytes() != VERSION {
        return Err(ZapError::BadVersion);
    }
    if id.as_bytes() != REQUEST_ID {
        return Err(ZapError::BadRequestId);
    }
    match status.as_bytes() {
        b"200" => grant(user_id, metadata).map(Verdict::Granted),
        b"300" => Ok(Verdict::Refused(300)),
        b"400" => Ok(Verdict::Refused(400)),
        b"500" => Ok(Verdict::Refused(500)),
        _ => Err(ZapError::InvalidStatus),
    }
}

/// What the peer's messages are to carry.
fn grant(user_id: &[u8], metadata: &[u8]) -> Result<Metadata, ZapError> {
    let mut granted = Metadata::new();
    if !user_id.is_empty() {
        granted.insert(Metadata::USER_ID, user_id);
    }
    let more = command::parse_metadata(metadata).map_err(|_| ZapError::InvalidMetadata)?;
    for (name, value) in more.iter() {
        granted.insert(name, value);
    }
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frames(texts: &[&str]) -> Vec<Msg> {
        texts.iter().copied().map(Msg::from).collect()
    }

    fn reply(status: &str, user_id: &str, metadata: &str) -> Verdict {
        verdict(&frames(&[
            "", "1.0", "1", status, "text", user_id, metadata,
        ]))
    }

    #[test]
    fn a_request_has_the_frames_of_rfc_27() {
        let asked = |credentials| {
            let frames = request(&AuthRequest {
                domain: "global".into(),
                address: "10.0.0.1".into(),
                routing_id: Bytes::from_static(b"me"),
                credentials,
            });
            let (last, before) = frames.split_last().unwrap();
            assert!(!last.more() && before.iter().all(Msg::more));
            frames
                .iter()
                .map(|frame| frame.to_vec())
                .collect::<Vec<_>>()
        };
        let common = |mechanism: &'static [u8]| {
            [
                &b""[..],
                b"1.0",
                b"1",
                b"global",
                b"10.0.0.1",
                b"me",
                mechanism,
            ]
        };
        assert_eq!(asked(Credentials::Null), common(b"NULL"));
        let plain = Credentials::Plain {
            username: Bytes::from_static(b"admin"),
            password: Bytes::from_static(b"secret"),
        };
        let texts = [&common(b"PLAIN")[..], &[b"admin", b"secret"]].concat();
        assert_eq!(asked(plain), texts);
        let public_key = [7; 32].into();
        let key = [&common(b"CURVE")[..], &[&[7; 32][..]]].concat();
        assert_eq!(asked(Credentials::Curve { public_key }), key);
    }

    #[test]
    fn a_grant_carries_the_user_id_and_metadata() {
        let mut granted = Metadata::new();
        assert_eq!(reply("200", "", ""), Verdict::Granted(granted.clone()));
        granted.insert("User-Id", b"admin");
        granted.insert("X-Role", b"boss");
        let metadata = "\x06X-Role\0\0\0\x04boss\x07User-Id\0\0\0\x05other";
        assert_eq!(reply("200", "admin", metadata), Verdict::Granted(granted));
    }

    #[test]
    fn refusals_have_their_status() {
        for (text, status) in [("300", 300), ("400", 400), ("500", 500)] {
            assert_eq!(reply(text, "admin", "not parsed"), Verdict::Refused(status));
        }
    }

    #[test]
    fn whatever_is_wrong_with_a_reply_is_named() {
        use ZapError::*;
        let wrong = |texts: &[&str], error| {
            assert_eq!(verdict(&frames(texts)), Verdict::Failed(error), "{texts:?}");
        };
        wrong(&[], MalformedReply);
        wrong(&["", "1.0", "1", "200", "", ""], MalformedReply);
        wrong(&["", "1.0", "1", "200", "", "", "", ""], MalformedReply);
        wrong(&["x", "1.0", "1", "200", "", "", ""], MalformedReply);
        wrong(&["", "1.1", "1", "200", "", "", ""], BadVersion);
        wrong(&["", "1.0", "2", "200", "", "", ""], BadRequestId);
        for status in ["", "20", "2000", "100", "600", "abc"] {
            wrong(&["", "1.0", "1", status, "", "", ""], InvalidStatus);
        }
        wrong(&["", "1.0", "1", "200", "", "", "\x01"], InvalidMetadata);
    }
}
