//! What a snapshot says of failover: the wire form of a pool's rules.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `failover = { min_healthy, mode, hold_down }`: when the next tier takes over, and when it gives back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailoverSpec {
    /// How many of a tier must be able to serve for it to do so.
    pub min_healthy: MinHealthySpec,
    /// Whether a higher tier takes back by itself.
    pub automatic: bool,
    /// Seconds for which the higher tier must have been able to serve before.
    pub hold_down: f64,
}

impl Default for FailoverSpec {
    fn default() -> Self {
        Self { min_healthy: MinHealthySpec::default(), automatic: true, hold_down: 10.0 }
    }
}

/// `{"count": 1}` or `{"share": 0.5}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MinHealthySpec {
    /// So many.
    Count(u32),
    /// This part (0 to 1) of a tier's endpoints, rounded up.
    Share(f64),
}

impl Default for MinHealthySpec {
    fn default() -> Self {
        Self::Count(1)
    }
}

/// What a pool does while nobody in it may serve.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenAllDownSpec {
    /// Sends to everybody with an address who is not disabled.
    #[default]
    TryAll,
    /// Answers 503 at once.
    FailFast,
    /// Sends to those who were healthy last.
    LastHealthy,
    /// Another pool takes the request.
    Pool(String),
    /// A fixed answer.
    Respond(RespondSpec),
}

impl WhenAllDownSpec {
    /// The word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TryAll => "try_all",
            Self::FailFast => "fail_fast",
            Self::LastHealthy => "last_healthy",
            Self::Pool(_) => "pool",
            Self::Respond(_) => "respond",
        }
    }
}

/// An answer of the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RespondSpec {
    /// 200 to 599.
    pub status: u16,
    /// Fields such as `content-type`.
    pub headers: Vec<(String, String)>,
    /// As it is sent.
    pub body: String,
}

/// `ejection = { consecutive, base, max, max_ejected }`: the part of it that the engine applies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EjectionSpec {
    /// Failures in a row that pass an endpoint over.
    pub consecutive: u32,
    /// Seconds of a first ejection.
    pub base: f64,
    /// Seconds of the longest.
    pub max: f64,
    /// Part (0 to 1) of a tier that judgements may take out at once.
    pub max_ejected: f64,
}

impl Default for EjectionSpec {
    fn default() -> Self {
        Self { consecutive: 3, base: 10.0, max: 300.0, max_ejected: 0.5 }
    }
}

/// How long one attempt may wait for its answer before a second is begun beside it: `"learned"`, `"off"` or seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AttemptTimeoutSpec {
    /// By what the pool learned of its answers.
    #[default]
    Learned,
    /// For ever.
    Off,
    /// So long.
    After(Duration),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Timeout {
    Word(String),
    Seconds(f64),
}

impl Serialize for AttemptTimeoutSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Learned => serializer.serialize_str("learned"),
            Self::Off => serializer.serialize_str("off"),
            Self::After(limit) => serializer.serialize_f64(limit.as_secs_f64()),
        }
    }
}

impl<'de> Deserialize<'de> for AttemptTimeoutSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Timeout::deserialize(deserializer)? {
            Timeout::Word(word) if word == "learned" => Ok(Self::Learned),
            Timeout::Word(word) if word == "off" => Ok(Self::Off),
            Timeout::Word(word) => Err(serde::de::Error::custom(format!("{word:?} is neither \"learned\" nor \"off\" nor seconds"))),
            Timeout::Seconds(seconds) => Duration::try_from_secs_f64(seconds).map(Self::After).map_err(serde::de::Error::custom),
        }
    }
}

/// `hedge = { budget }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HedgeSpec {
    /// Second attempts per request, 0 to 1.
    pub budget: f64,
}

/// Seconds as whole milliseconds, from 0 on.
#[must_use]
pub(crate) fn millis(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds.max(0.0)).map_or(u64::MAX / 2, |duration| duration.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_rules_are_read_and_written_alike() {
        for text in [r#""try_all""#, r#""fail_fast""#, r#""last_healthy""#, r#"{"pool":"other"}"#] {
            let spec: WhenAllDownSpec = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        }
        for (text, expected) in [
            (r#""learned""#, AttemptTimeoutSpec::Learned),
            (r#""off""#, AttemptTimeoutSpec::Off),
            ("0.25", AttemptTimeoutSpec::After(Duration::from_millis(250))),
        ] {
            let spec: AttemptTimeoutSpec = serde_json::from_str(text).unwrap();
            assert_eq!((spec, serde_json::to_string(&spec).unwrap().as_str()), (expected, text));
        }
        assert!(serde_json::from_str::<AttemptTimeoutSpec>(r#""often""#).is_err());
        assert!(serde_json::from_str::<AttemptTimeoutSpec>("-1").is_err());
        let failover: FailoverSpec = serde_json::from_str(r#"{"min_healthy":{"share":0.5}}"#).unwrap();
        assert_eq!(failover, FailoverSpec { min_healthy: MinHealthySpec::Share(0.5), ..FailoverSpec::default() });
    }
}
