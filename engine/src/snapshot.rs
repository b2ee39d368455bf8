//! What control tells the engine: the wire form of a snapshot and of a delta against one.
//!
//! Everything here is plain data, read from the canonical JSON that `forebay.config` writes. Durations are seconds as a JSON number,
//! sizes are bytes; `null` means *off*. Nothing is checked for sense here beyond types: that is the configuration's work, done
//! with file and line at hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use crate::balance::affinity::Secret;
pub use crate::balance::policy::PolicySpec;
pub use crate::failover::rules::{AttemptTimeoutSpec, EjectionSpec, FailoverSpec, HedgeSpec, MinHealthySpec, RespondSpec, WhenAllDownSpec};

/// All that the engine serves by, numbered by control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotSpec {
    /// Grows by one with every publication.
    pub number: u64,
    /// The name this gateway gives itself in `Via` and `Proxy-Status`.
    pub name: String,
    /// Limits that hold for every client connection.
    pub limits: LimitsSpec,
    /// Networks (`10.0.0.0/8`, `::1/128`) whose forwarding fields are believed.
    pub trusted_proxies: Vec<String>,
    /// Which forwarding fields the server behind receives.
    pub forwarded: ForwardedSpec,
    /// Where clients connect.
    pub listeners: Vec<ListenerSpec>,
    /// First match wins.
    pub routes: Vec<Arc<RouteSpec>>,
    /// By name.
    pub pools: BTreeMap<String, PoolSpec>,
}

/// The change from snapshot `base` to snapshot `number`; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeltaSpec {
    /// The snapshot that this delta was computed against; any other is refused.
    pub base: u64,
    /// The number of the result.
    pub number: u64,
    /// New limits.
    pub limits: Option<LimitsSpec>,
    /// New trusted networks.
    pub trusted_proxies: Option<Vec<String>>,
    /// New choice of forwarding fields.
    pub forwarded: Option<ForwardedSpec>,
    /// The whole new list of listeners.
    pub listeners: Option<Vec<ListenerSpec>>,
    /// Routes that are new or changed, by their id.
    pub routes: Vec<Arc<RouteSpec>>,
    /// The ids of all routes in their new order, where order or membership changed.
    pub route_order: Option<Vec<String>>,
    /// Pools that are new or changed.
    pub pools: BTreeMap<String, PoolSpec>,
    /// Names of pools that are gone.
    pub removed_pools: Vec<String>,
}

/// `[limits]`: how long and how large anything from a client may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSpec {
    /// From the first byte of a request head to its end.
    #[serde(with = "seconds")]
    pub head_timeout: Duration,
    /// Without progress while a request body is awaited.
    #[serde(with = "seconds")]
    pub body_timeout: Duration,
    /// Without progress while a client does not read.
    #[serde(with = "seconds")]
    pub send_timeout: Duration,
    /// Between two requests on one connection.
    #[serde(with = "seconds")]
    pub keepalive_timeout: Duration,
    /// Without a byte in either direction of a tunnel.
    #[serde(with = "seconds")]
    pub tunnel_timeout: Duration,
    /// From the request head to the end of the exchange.
    #[serde(with = "maybe_seconds")]
    pub total_timeout: Option<Duration>,
    /// Bytes of a request or response head, the request line included.
    pub max_head: u64,
    /// Bytes of a request body.
    pub max_body: Option<u64>,
    /// Client connections open at once, over all listeners.
    pub max_connections: Option<u64>,
}

/// Which fields tell the server behind who the client was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedSpec {
    /// `X-Forwarded-For`, `-Proto`, `-Host`.
    XForwarded,
    /// RFC 7239.
    Forwarded,
    /// None of them.
    Off,
}

/// `[listeners.X]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerSpec {
    /// The table's name.
    pub name: String,
    /// Socket addresses (`127.0.0.1:8080`, `[::]:80`); port 0 asks the system for one.
    pub bind: Vec<String>,
    /// Tokens that `Upgrade` may carry, in lower case.
    pub upgrades: Vec<String>,
    /// Whether a client that closed its sending side still gets its answer.
    pub half_close: bool,
}

/// `[[routes]]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// Its name, or `routes[3]` where it has none; unique.
    pub id: String,
    /// All of these must hold.
    #[serde(rename = "match")]
    pub matches: MatchSpec,
    /// What is done with a request that matched.
    pub action: ActionSpec,
    /// From request head to response head, over all attempts.
    #[serde(with = "maybe_seconds")]
    pub timeout: Option<Duration>,
    /// From a request fully sent to its response head, for one attempt.
    #[serde(with = "maybe_seconds")]
    pub first_byte_timeout: Option<Duration>,
    /// Removed from the front of the path, on a segment's border.
    pub strip_prefix: Option<String>,
    /// The new path; `*` stands for what the match's `*` stood for, `$1` for a group of its regex.
    pub rewrite: Option<String>,
    /// Edits of the request that goes to the server.
    pub request_headers: HeaderEditsSpec,
    /// Edits of the response that goes to the client.
    pub response_headers: HeaderEditsSpec,
    /// Whether `Idempotency-Key` makes a request repeatable.
    #[serde(default)]
    pub idempotency_key: bool,
}

/// A route's conditions. An empty list matches everything; in a list any may hold, over the fields all must.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchSpec {
    /// `api.example.com` or `*.example.com` (one or more labels); lower case, without port.
    pub host: Vec<String>,
    /// `/exact`, `/prefix/*` (also `/prefix` itself) or `~REGEX` (the whole path).
    pub path: Vec<String>,
    /// Upper case.
    pub method: Vec<String>,
    /// By lower-case field name: `value`, `*` (present), `prefix*` or `~REGEX` (the whole value).
    pub header: BTreeMap<String, String>,
    /// By parameter name, likewise.
    pub query: BTreeMap<String, String>,
}

/// What a route does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ActionSpec {
    /// Sends the request to an endpoint of this pool.
    Pool(String),
    /// Answers with `Location`.
    Redirect {
        /// As in `rewrite`, or an absolute URL with the same place holders; the query is kept.
        to: String,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// Answers by itself.
    Respond {
        /// 200 to 599.
        status: u16,
        /// Fields such as `content-type`.
        headers: Vec<(String, String)>,
        /// As it is sent.
        body: String,
    },
}

/// Removals first, then each `set` replaces every field of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderEditsSpec {
    /// Field name and value.
    pub set: Vec<(String, String)>,
    /// Field names.
    pub remove: Vec<String>,
}

/// `[pools.X]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSpec {
    /// How one of the endpoints is picked.
    pub policy: PolicySpec,
    /// Seed of the pool's random picks.
    pub seed: u64,
    /// Order is kept: ties and rotations follow it.
    pub endpoints: Vec<EndpointSpec>,
    /// `"client"`, `"endpoint"` or `{"fixed": NAME}`.
    pub host: HostSpec,
    /// To open a connection.
    #[serde(with = "seconds")]
    pub connect_timeout: Duration,
    /// Connections to one endpoint, idle ones included, over all threads.
    pub max_connections: Option<u32>,
    /// Exchanges on one endpoint at once, over all threads.
    pub max_inflight: Option<u32>,
    /// Where requests wait while every endpoint is at its cap.
    pub queue: QueueSpec,
    /// How requests are repeated.
    pub retry: RetrySpec,
    /// Whether and how a client's next requests go to the endpoint of its first.
    #[serde(default)]
    pub affinity: Option<AffinitySpec>,
    /// What becomes of the servers' word on how busy they are.
    #[serde(default)]
    pub load_report: LoadReportSpec,
    /// When one tier takes over from another.
    #[serde(default)]
    pub failover: FailoverSpec,
    /// What happens while nobody may serve.
    #[serde(default)]
    pub when_all_down: WhenAllDownSpec,
    /// How endpoints are passed over that fail.
    #[serde(default)]
    pub ejection: EjectionSpec,
    /// Seconds over which a new or recovered endpoint takes up its share; 0 is at once.
    #[serde(default)]
    pub slow_start: f64,
    /// Whether its endpoints are probed: a new one then serves once a probe has passed.
    #[serde(default)]
    pub probed: bool,
    /// Whether a slow request is sent a second time before it failed.
    #[serde(default)]
    pub hedge: Option<HedgeSpec>,
}

/// The `Host` that the server behind receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostSpec {
    /// As the client sent it.
    Client,
    /// The endpoint's own address.
    Endpoint,
    /// This name.
    Fixed(String),
}

/// One server of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    /// As declared, else the resolved `ip:port` or `unix:path`.
    pub id: String,
    /// As declared, for people and for `Host`.
    pub address: String,
    /// `ip:port` or `unix:path` to connect to; `None` while its name has no address.
    pub target: Option<String>,
    /// Share relative to the others; 0 takes no requests.
    pub weight: u32,
    /// 0 serves, 1 stands by for it, and so on.
    #[serde(default)]
    pub tier: u8,
}

/// `queue = { size, timeout }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSpec {
    /// Requests that may wait at once; 0 refuses at once.
    pub size: u32,
    /// How long one may wait.
    #[serde(with = "seconds")]
    pub timeout: Duration,
}

/// `affinity = { cookie, ttl, secret }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AffinitySpec {
    /// The cookie's name.
    pub cookie: String,
    /// How long a token holds.
    #[serde(with = "seconds")]
    pub ttl: Duration,
    /// What tokens are signed with.
    pub secret: Secret,
}

/// `load_report = { keep }`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadReportSpec {
    /// Whether the client sees it too.
    pub keep: bool,
}

/// `[pools.X.retry]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySpec {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Bytes of a request body kept for repeating it.
    pub replay_buffer: u64,
    /// Repetitions that each request adds to the pool's bucket.
    pub budget: f64,
    /// Answers after which a request that may be repeated is.
    pub statuses: Vec<u16>,
    /// When a second attempt is begun beside one that takes long.
    pub attempt_timeout: AttemptTimeoutSpec,
}

impl Default for RetrySpec {
    fn default() -> Self {
        Self {
            attempts: 3,
            replay_buffer: 65_536,
            budget: 0.2,
            statuses: vec![502, 503, 504],
            attempt_timeout: AttemptTimeoutSpec::default(),
        }
    }
}

mod seconds {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(value).map_err(serde::de::Error::custom)
    }
}

mod maybe_seconds {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_some(&value.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let value = Option::<f64>::deserialize(deserializer)?;
        value.map(Duration::try_from_secs_f64).transpose().map_err(serde::de::Error::custom)
    }
}
