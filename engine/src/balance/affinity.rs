//! Affinity: a signed cookie that names the endpoint which served a client before, so that its next requests go there too.
//!
//! A token is 39 characters of base64url without padding (RFC 4648 section 5) over 29 bytes: a version, when it expires (seconds since
//! 1970, big-endian), the endpoint's identity, and a tag over all of these and the pool's name. The identity is no address: it is the first
//! eight bytes of HMAC-SHA256 (RFC 2104) over pool and endpoint id, so that a client learns nothing of the servers, and gateways with the
//! same secret agree on it without talking to each other. Time is an argument.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustc_hash::FxHashMap;
use sha2::Sha256;

use super::key::cookies;
use crate::message::RequestHead;
use crate::snapshot::AffinitySpec;

mod secret;
#[cfg(test)]
mod tests;

pub use secret::Secret;

/// The first byte of every token.
const VERSION: u8 = 1;

/// Bytes of an identity.
const IDENTITY: usize = 8;

/// Bytes of a tag: half of what HMAC-SHA256 gives, the least that RFC 2104 section 5 allows.
const TAG: usize = 16;

/// Bytes that the tag is over, besides the pool's name.
const BODY: usize = 1 + 4 + IDENTITY;

/// Characters of a token.
const TOKEN: usize = (BODY + TAG).div_ceil(3) * 4 - 1;

/// Cookies of the right name and length that are looked at: a browser may hold several, and each costs a tag.
const CANDIDATES: usize = 4;

type Identity = [u8; IDENTITY];

/// What a request's cookie says: which endpoint, and whether the client should have a newer token soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    identity: Identity,
    /// The token is in the second half of its life.
    pub ageing: bool,
}

/// The tokens of one pool, as one snapshot has its endpoints.
pub struct Affinity {
    cookie: Box<str>,
    /// Seconds.
    ttl: u32,
    /// Keyed, and fed with what comes before the body.
    tags: Hmac<Sha256>,
    /// By index.
    identities: Box<[Identity]>,
    indexes: FxHashMap<Identity, usize>,
}

impl Affinity {
    /// For the endpoints of these ids, in their order.
    #[must_use]
    pub fn new<'a>(spec: &AffinitySpec, pool: &str, ids: impl Iterator<Item = &'a str>) -> Option<Self> {
        // HMAC takes keys of any length.
        let keyed = Hmac::<Sha256>::new_from_slice(spec.secret.bytes()).ok()?;
        let fed = |purpose: &[u8]| keyed.clone().chain_update(purpose).chain_update([0]).chain_update(pool).chain_update([0]);
        let names = fed(b"id");
        let identities: Box<[Identity]> = ids.map(|id| first(&names.clone().chain_update(id).finalize().into_bytes())).collect();
        let indexes = identities.iter().enumerate().rev().map(|(index, identity)| (*identity, index)).collect();
        let ttl = u32::try_from(spec.ttl.as_secs()).unwrap_or(u32::MAX).max(1);
        Some(Self { cookie: spec.cookie.as_str().into(), ttl, tags: fed(b"token"), identities, indexes })
    }

    /// Where the endpoint of a pin stands; `None` where it is in the pool no more.
    #[must_use]
    pub fn index(&self, pin: Pin) -> Option<usize> {
        self.indexes.get(&pin.identity).copied()
    }

    /// The first valid token among a request's cookies; `now` in seconds since 1970. Whatever else stands there is ignored.
    #[must_use]
    pub fn pin(&self, head: &RequestHead, now: u64) -> Option<Pin> {
        let candidates = cookies(head, self.cookie.as_bytes()).filter(|value| value.len() == TOKEN);
        candidates.take(CANDIDATES).find_map(|token| self.read(token, now))
    }

    fn read(&self, token: &[u8], now: u64) -> Option<Pin> {
        let mut bytes = [0; BODY + TAG];
        if URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()? != bytes.len() {
            return None;
        }
        let (body, tag) = bytes.split_first_chunk::<BODY>()?;
        // In constant time; and nothing of the body is looked at before.
        self.tags.clone().chain_update(body).verify_truncated_left(tag).ok()?;
        let [VERSION, e0, e1, e2, e3, identity @ ..] = *body else { return None };
        let left = u64::from(u32::from_be_bytes([e0, e1, e2, e3])).checked_sub(now).filter(|left| *left > 0)?;
        Some(Pin { identity, ageing: left < u64::from(self.ttl / 2) })
    }

    /// A new token for an endpoint; `now` in seconds since 1970.
    #[must_use]
    pub fn token(&self, index: usize, now: u64) -> Option<String> {
        let identity = self.identities.get(index)?;
        let expires = u32::try_from(now).unwrap_or(u32::MAX).saturating_add(self.ttl);
        let body: Vec<u8> = [VERSION].into_iter().chain(expires.to_be_bytes()).chain(*identity).collect();
        let tag: [u8; TAG] = first(&self.tags.clone().chain_update(&body).finalize().into_bytes());
        Some(URL_SAFE_NO_PAD.encode([body.as_slice(), &tag].concat()))
    }

    /// The value of `Set-Cookie` that pins a client to an endpoint; `secure` where it came by https.
    #[must_use]
    pub fn set_cookie(&self, index: usize, now: u64, secure: bool) -> Option<String> {
        let token = self.token(index, now)?;
        let secure = if secure { "; Secure" } else { "" };
        Some(format!("{}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", self.cookie, self.ttl))
    }
}

/// The first bytes of a longer text.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}
