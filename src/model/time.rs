//! A moment, in whole seconds of UTC.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 UTC. Text form: RFC 3339, `2026-11-22T02:03:41Z`. `own::clock` is the only maker of "now".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment that `text` names: RFC 3339, or a date alone (midnight).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let time = if text.len() == 10 {
            humantime::parse_rfc3339(&format!("{text}T00:00:00Z"))
        } else {
            humantime::parse_rfc3339_weak(text)
        };
        Some(Self(time.ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs()))
    }

    /// The wall-clock time it stands for.
    #[must_use]
    pub fn system_time(self) -> SystemTime {
        // The last second of the year 9999 is the last that RFC 3339 can write.
        UNIX_EPOCH + Duration::from_secs(self.0.min(253_402_300_799))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&humantime::format_rfc3339_seconds(self.system_time()), f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("not an RFC 3339 time: `{text}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let time = Timestamp::parse("2026-11-22T02:03:41Z").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T02:03:41Z");
        assert_eq!(Timestamp::parse("1970-01-02"), Some(Timestamp(86_400)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
