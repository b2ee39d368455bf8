//! Tokens without any network; seconds are plain numbers.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::h1::request::parse;
use crate::snapshot::Secret;

const NOW: u64 = 1_800_000_000;
const IDS: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

fn affinity(secret: &[u8], pool: &str, ids: &[&str]) -> Affinity {
    let spec = AffinitySpec { cookie: "fb".into(), ttl: Duration::from_secs(3600), secret: Secret::from(secret) };
    Affinity::new(&spec, pool, ids.iter().copied()).unwrap()
}

fn usual() -> Affinity {
    affinity(b"a secret of 24 bytes 123", "app", &IDS)
}

fn head(cookies: &str) -> RequestHead {
    let mut head = RequestHead::default();
    parse(format!("GET / HTTP/1.1\r\nHost: a.example\r\n{cookies}\r\n").as_bytes(), &mut head).unwrap();
    head
}

/// The index that a cookie's value pins to.
fn index(affinity: &Affinity, token: &str, now: u64) -> Option<usize> {
    affinity.pin(&head(&format!("Cookie: fb={token}\r\n")), now).and_then(|pin| affinity.index(pin))
}

#[test]
fn a_token_pins_to_the_endpoint_that_it_was_made_for_until_it_expires() {
    let affinity = usual();
    for place in 0..3 {
        let token = affinity.token(place, NOW).unwrap();
        assert_eq!(token.len(), TOKEN);
        assert_eq!(index(&affinity, &token, NOW), Some(place));
        assert_eq!(index(&affinity, &token, NOW + 3599), Some(place));
        assert_eq!(index(&affinity, &token, NOW + 3600), None);
    }
    assert_eq!(affinity.token(3, NOW), None);
}

#[test]
fn a_token_ages_in_the_second_half_of_its_life() {
    let affinity = usual();
    let token = affinity.token(0, NOW).unwrap();
    let ageing = |now| affinity.pin(&head(&format!("Cookie: fb={token}\r\n")), now).map(|pin| pin.ageing);
    assert_eq!((ageing(NOW), ageing(NOW + 1800), ageing(NOW + 1801)), (Some(false), Some(false), Some(true)));
}

#[test]
fn gateways_that_share_a_secret_agree_in_whatever_order_they_declare_the_endpoints() {
    let (one, other) = (usual(), affinity(b"a secret of 24 bytes 123", "app", &["10.0.0.9:80", IDS[2], IDS[1], IDS[0]]));
    assert_eq!(index(&other, &one.token(1, NOW).unwrap(), NOW), Some(2));
    assert_eq!(index(&one, &other.token(0, NOW).unwrap(), NOW), None, "an endpoint that is not there is nobody's");
}

#[test]
fn another_secret_or_another_pool_makes_nothing_of_a_token() {
    let token = usual().token(1, NOW).unwrap();
    assert_eq!(index(&affinity(b"another secret of some bytes", "app", &IDS), &token, NOW), None);
    assert_eq!(index(&affinity(b"a secret of 24 bytes 123", "api", &IDS), &token, NOW), None);
}

#[test]
fn a_token_is_opaque() {
    let token = usual().token(0, NOW).unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("10."));
    assert_ne!(usual().identities[0], affinity(b"another secret of some bytes", "app", &IDS).identities[0]);
}

#[test]
fn no_changed_bit_of_a_token_goes_unnoticed() {
    let affinity = usual();
    let bytes = URL_SAFE_NO_PAD.decode(affinity.token(1, NOW).unwrap()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut forged = bytes.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(affinity.read(URL_SAFE_NO_PAD.encode(forged).as_bytes(), NOW), None, "bit {bit}");
    }
}

#[test]
fn the_first_valid_token_counts_among_a_few() {
    let affinity = usual();
    let (token, foreign) = (affinity.token(2, NOW).unwrap(), "A".repeat(TOKEN));
    let place = |cookies: &str| affinity.pin(&head(cookies), NOW).and_then(|pin| affinity.index(pin));
    assert_eq!(place(&format!("Cookie: a=b; fb=; fb={foreign}; fb=\"{token}\"\r\nCookie: fb=x\r\n")), Some(2));
    assert_eq!(place(&format!("Cookie: fb=x\r\nCookie: fb={token}x; fb={token}\r\n")), Some(2));
    assert_eq!(place(&format!("Cookie: {}fb={token}\r\n", format!("fb={foreign}; ").repeat(CANDIDATES))), None);
    assert_eq!(place(&format!("Cookie: fbx={token}; xfb={token}\r\n")), None);
    assert_eq!(place(""), None);
}

#[test]
fn the_cookie_is_for_the_whole_site_and_for_no_script() {
    let cookie = |secure| usual().set_cookie(1, NOW, secure).unwrap();
    let token = usual().token(1, NOW).unwrap();
    assert_eq!(cookie(false), format!("fb={token}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"));
    assert_eq!(cookie(true), format!("fb={token}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"));
}

#[test]
fn a_token_is_what_it_always_was() {
    // Gateways of several versions may share a secret: computed once more by another HMAC and base64.
    assert_eq!(usual().token(0, NOW).unwrap(), "AWtJ4BDxK1r0HqMmoMo3oIgdRMCEdZyWoWM6YQ4");
}

proptest! {
    #[test]
    fn whatever_a_client_sends_is_read_without_harm(value in proptest::collection::vec(any::<u8>(), 0..80), now in any::<u64>()) {
        prop_assert_eq!(usual().read(&value, now), None);
    }
}
