//! The box of the NaCl documentation, and another implementation to compare with.

use crypto_box::SalsaBox;
use crypto_box::aead::Aead;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let bytes: Vec<_> = digits.chunks(2).map(|d| (d[0] * 16 + d[1]) as u8).collect();
    bytes.try_into().unwrap()
}

/// "Cryptography in NaCl", sections 8 to 10.
#[test]
fn the_box_of_the_nacl_documentation_is_made_and_opened() {
    let alice: [u8; 32] = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob: [u8; 32] = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let bob = SecretKey::from(bob).public_key();
    let key = BoxKey::agree(&alice.into(), &bob).unwrap();
    let first: [u8; 32] = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
    assert_eq!(*key.0, first);
    let nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
    let text: [u8; 131] = hex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a
         1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057
         e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040
         e082f937763848645e0705",
    );
    let sealed: [u8; 147] = hex(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4
         476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738
         b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de
         56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5",
    );
    assert_eq!(key.seal(&nonce, &text), sealed);
    assert_eq!(*key.open(&nonce, &sealed).unwrap(), text);
}

#[test]
fn a_key_that_is_no_secret_is_none() {
    let ours = SecretKey::from([7; 32]);
    assert!(BoxKey::agree(&ours, &[0; 32].into()).is_err());
}

#[test]
fn nothing_that_is_printed_tells_a_key() {
    let key = BoxKey::secret(&[7; 32]);
    let stream = key.stream(&[0; 16]);
    let shown = format!("{key:?} {stream:?}");
    assert_eq!(shown, "BoxKey(..) StreamKey(..)");
}

proptest! {
    #[test]
    fn boxes_are_those_of_another_implementation(
        secret in any::<[u8; 32]>(),
        other in any::<[u8; 32]>(),
        nonce in any::<[u8; 24]>(),
        text in vec(any::<u8>(), 0..300),
    ) {
        let public = SecretKey::from(other).public_key();
        let theirs = SalsaBox::new(&(*public.as_bytes()).into(), &secret.into());
        let sealed = theirs.encrypt(&nonce.into(), &text[..]).unwrap();
        let ours = BoxKey::agree(&secret.into(), &public).unwrap();
        prop_assert_eq!(ours.seal(&nonce, &text), &sealed[..]);
        prop_assert_eq!(&**ours.open(&nonce, &sealed).unwrap(), &text[..]);
    }

    #[test]
    fn a_box_that_was_touched_does_not_open(
        text in vec(any::<u8>(), 0..100),
        index in any::<proptest::sample::Index>(),
        bit in 0..8u8,
        cut in any::<proptest::sample::Index>(),
    ) {
        let key = BoxKey::secret(&[7; 32]);
        let mut sealed = key.seal(&[1; 24], &text);
        prop_assert!(key.open(&[2; 24], &sealed).is_err());
        prop_assert!(key.open(&[1; 24], &sealed[..cut.index(sealed.len())]).is_err());
        let at = index.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(key.open(&[1; 24], &sealed).is_err());
    }
}
