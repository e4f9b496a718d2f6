//! The security options: ranges, defaults, and how they overwrite each other.

use ferrozmq::{Curve, CurveKeyPair, Mechanism, Plain, Security};

use super::*;

fn socket() -> Socket {
    Ctx::new().socket(DEALER).unwrap()
}

#[test]
fn the_last_option_decides_what_a_socket_is() {
    let socket = socket();
    let mechanism = || socket.get_mechanism().unwrap();
    assert_eq!(mechanism(), Mechanism::Null);
    socket.set_plain_server(true).unwrap();
    assert_eq!(mechanism(), Mechanism::Plain);
    assert!(socket.is_plain_server().unwrap());
    socket.set_plain_username(Some("admin")).unwrap();
    assert!(!socket.is_plain_server().unwrap(), "a client now");
    socket.set_plain_password(Some("secret")).unwrap();
    assert_eq!(socket.get_plain_username().unwrap(), "admin");
    assert_eq!(socket.get_plain_password().unwrap(), "secret");
    socket.set_plain_password(None).unwrap();
    assert_eq!(mechanism(), Mechanism::Null);
    socket.set_curve_server(true).unwrap();
    assert_eq!(mechanism(), Mechanism::Curve);
    assert!(socket.is_curve_server().unwrap());
    socket.set_plain_server(false).unwrap();
    assert_eq!(mechanism(), Mechanism::Null, "as libzmq has it");
}

#[test]
fn texts_have_1_to_255_bytes() {
    let socket = socket();
    let long = "x".repeat(256);
    for text in ["", &long] {
        assert!(socket.set_plain_username(Some(text)).is_err());
        assert!(socket.set_plain_password(Some(text)).is_err());
        assert!(socket.set_zap_domain(text).is_err());
    }
    socket.set_plain_username(Some(&long[1..])).unwrap();
    socket.set_plain_password(Some(&long[1..])).unwrap();
    socket.set_zap_domain(&long[1..]).unwrap();
    assert_eq!(socket.get_zap_domain().unwrap(), long[1..]);
}

#[test]
fn keys_come_in_three_forms() {
    let socket = socket();
    let keys = CurveKeyPair::new().unwrap();
    socket.set_curve_publickey(keys.public_key).unwrap();
    socket
        .set_curve_secretkey(keys.secret_key.to_z85().as_bytes())
        .unwrap();
    let with_nul = format!("{}\0", keys.public_key);
    socket.set_curve_serverkey(with_nul).unwrap();
    assert_eq!(socket.get_curve_publickey().unwrap(), keys.public_key);
    assert_eq!(socket.get_curve_secretkey().unwrap(), keys.secret_key);
    assert_eq!(socket.get_curve_serverkey().unwrap(), keys.public_key);
    assert!(socket.set_curve_publickey([0; 31]).is_err());
    assert!(socket.set_curve_secretkey("\"".repeat(40)).is_err());
    assert!(socket.set_curve_serverkey("x".repeat(42)).is_err());
}

#[test]
fn a_security_is_set_as_a_whole() {
    let socket = socket();
    let keys = CurveKeyPair::new().unwrap();
    socket.set_security(Curve::server(&keys)).unwrap();
    assert!(socket.is_curve_server().unwrap());
    assert_eq!(socket.get_curve_secretkey().unwrap(), keys.secret_key);
    socket.set_security(Plain::client("me", "hush")).unwrap();
    assert_eq!(socket.get_mechanism().unwrap(), Mechanism::Plain);
    assert_eq!(socket.get_curve_publickey().unwrap().as_bytes(), &[0; 32]);
    socket.set_security(Security::none()).unwrap();
    assert_eq!(socket.get_plain_username().unwrap(), "");
}

#[test]
fn the_zap_options_have_defaults() {
    let socket = socket();
    assert_eq!(socket.get_zap_domain().unwrap(), "");
    assert!(!socket.is_zap_enforce_domain().unwrap());
    socket.set_zap_enforce_domain(true).unwrap();
    assert!(socket.is_zap_enforce_domain().unwrap());
}
