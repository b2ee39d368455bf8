//! How busy a server says it is: the response field `endpoint-load-metrics` of ORCA (Open Request Cost Aggregation; its fields are those of
//! `xds.data.orca.v3.OrcaLoadReport`), in its text and its JSON form:
//!
//! ```text
//! endpoint-load-metrics: TEXT cpu_utilization=0.3, named_metrics.kv_cache=0.7
//! endpoint-load-metrics: JSON {"cpu_utilization": 0.3, "named_metrics": {"kv_cache": 0.7}}
//! ```
//!
//! A server's word is read like a client's: bounded, and whatever is no finite number is left out.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

/// Bytes of a report that is read; a longer one is ignored.
const LONGEST: usize = 4096;

/// Metrics that are read; later ones are left out.
const MOST: usize = 32;

/// Those that are the load, of which a report without them would tell nothing.
const LOADS: [&str; 2] = ["application_utilization", "cpu_utilization"];

/// One report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report<'a> {
    /// From 0 to 1: `application_utilization` where that is above 0, else `cpu_utilization`, else 0.
    pub load: f64,
    /// Every number by its name: those of `named_metrics` and the report's own, the first of each name.
    pub metrics: Vec<(Cow<'a, str>, f64)>,
}

impl<'a> Report<'a> {
    /// Reads the field's value; `None` where it has neither form.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= LONGEST)?.trim_ascii();
        let mut report = Self::default();
        match text.split_once(' ').unwrap_or((text, "")) {
            (form, json) if form.eq_ignore_ascii_case("JSON") => report.read_json(json)?,
            (form, text) if form.eq_ignore_ascii_case("TEXT") => report.read_text(text),
            // The form of before the forms had names.
            (first, _) if first.contains(['=', ':']) && !first.starts_with('{') => report.read_text(text),
            _ => return None,
        }
        let [application, cpu] = LOADS.map(|name| report.metric(name));
        report.load = application.filter(|load| *load > 0.0).or(cpu).unwrap_or(0.0).clamp(0.0, 1.0);
        Some(report)
    }

    /// The number of this name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    fn read_text(&mut self, text: &'a str) {
        for pair in text.split(',') {
            let Some((name, value)) = pair.split_once(['=', ':']) else { continue };
            let name = name.trim_ascii();
            if let Ok(value) = value.trim_ascii().parse() {
                self.add(Cow::Borrowed(name.strip_prefix("named_metrics.").unwrap_or(name)), value);
            }
        }
    }

    fn read_json(&mut self, json: &'a str) -> Option<()> {
        let mut json = serde_json::Deserializer::from_str(json);
        json.deserialize_map(Whole(self)).ok()?;
        json.end().ok()
    }

    fn add(&mut self, name: Cow<'a, str>, value: f64) {
        let room = self.metrics.len() < MOST || LOADS.contains(&&*name);
        if value.is_finite() && !name.is_empty() && room && self.metric(&name).is_none() {
            self.metrics.push((name, value));
        }
    }
}

/// A number, or whatever else stands in its place.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(f64),
    Other(IgnoredAny),
}

/// The object `named_metrics`, or whatever else stands in its place.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Named(std::collections::BTreeMap<String, Number>),
    Other(IgnoredAny),
}

/// Reads the object of a report.
struct Whole<'r, 'a>(&'r mut Report<'a>);

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object of a load report")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            // Protocol Buffers write names in JSON in either way.
            let name = match key.as_str() {
                "namedMetrics" => "named_metrics",
                "applicationUtilization" => "application_utilization",
                "cpuUtilization" => "cpu_utilization",
                "memUtilization" => "mem_utilization",
                _ => &key,
            };
            if name == "named_metrics" {
                if let Named::Named(metrics) = map.next_value()? {
                    for (name, value) in metrics {
                        self.add(name, &value);
                    }
                }
            } else {
                let value = map.next_value()?;
                self.add(name.to_owned(), &value);
            }
        }
        Ok(())
    }
}

impl Whole<'_, '_> {
    fn add(&mut self, name: String, value: &Number) {
        if let Number::Number(value) = value {
            self.0.add(Cow::Owned(name), *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(value: &str) -> Report<'_> {
        Report::parse(value.as_bytes()).unwrap()
    }

    #[test]
    fn both_forms_say_the_same() {
        let text = report("TEXT cpu_utilization=0.3, mem_utilization=0.8, named_metrics.kv_cache=0.7, named_metrics.inflight=12");
        let json = r#"{"cpu_utilization": 0.3, "mem_utilization": 0.8, "named_metrics": {"kv_cache": 0.7, "inflight": 12}}"#;
        let camel = r#"{"namedMetrics":{"kv_cache":0.7,"inflight":12.0},"cpuUtilization":0.3,"memUtilization":0.8}"#;
        for report in [text, report(&format!("JSON {json}")), report(&format!("json {camel}"))] {
            assert_eq!((report.load, report.metric("inflight")), (0.3, Some(12.0)), "{report:?}");
            assert_eq!((report.metric("kv_cache"), report.metric("mem_utilization")), (Some(0.7), Some(0.8)), "{report:?}");
            assert_eq!(report.metrics.len(), 4);
        }
    }

    #[test]
    fn the_load_is_the_applications_where_it_tells_and_else_the_processors() {
        for (text, load) in [
            ("TEXT application_utilization=0.6, cpu_utilization=0.2", 0.6),
            ("TEXT application_utilization=0, cpu_utilization=0.2", 0.2),
            ("TEXT application_utilization=1.7", 1.0),
            ("TEXT cpu_utilization=-1", 0.0),
            ("TEXT named_metrics.kv_cache=0.7", 0.0),
        ] {
            assert_eq!(report(text).load.to_bits(), f64::to_bits(load), "{text}");
        }
    }

    #[test]
    fn text_may_have_colons_and_need_not_name_its_form() {
        for text in
            ["text cpu_utilization:0.5,rps_fractional:3", "cpu_utilization=0.5", "cpu_utilization:0.5, a=1", "TEXT  cpu_utilization = 0.5"]
        {
            assert_eq!(report(text).load.to_bits(), 0.5_f64.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_no_finite_number_is_left_out() {
        for text in [
            "TEXT a=nan, b=inf, c=, d, =3, e=1e999, cpu_utilization=0.5, f=0x1",
            r#"JSON {"a": "x", "b": null, "c": [], "cpu_utilization": 0.5, "utilization": {"d": 1}, "named_metrics": {"e": "1", "": 3}}"#,
            r#"JSON {"cpu_utilization": 0.5, "named_metrics": 7}"#,
        ] {
            let report = report(text);
            assert_eq!((report.load, report.metrics.len()), (0.5, 1), "{report:?}");
        }
    }

    #[test]
    fn what_has_no_form_says_nothing() {
        let long = format!("TEXT {}", "a=1,".repeat(1024));
        for value in ["", "BIN AAAA", "TEXTcpu", "JSON", "JSON {", "JSON 3", "JSON {} {}", "{\"cpu_utilization\": 0.5}", &long] {
            assert_eq!(Report::parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(Report::parse(b"TEXT \xff=1"), None);
        let deep = format!("JSON {{\"a\": {}", "[".repeat(4000));
        assert_eq!(Report::parse(deep.as_bytes()), None);
    }

    #[test]
    fn no_more_metrics_are_read_than_a_policy_can_want() {
        let many: Vec<String> = (0..100).map(|n| format!("m{n}={n}")).collect();
        let text = format!("TEXT {}", many.join(","));
        assert_eq!(report(&text).metrics.len(), MOST);
        // Else a server that has much to say would look idle.
        let json: Vec<String> = (0..100).map(|n| format!("\"m{n}\": {n}")).collect();
        let json = format!("JSON {{\"named_metrics\": {{{}}}, \"cpu_utilization\": 0.9}}", json.join(", "));
        for report in [report(&format!("{text},cpu_utilization=0.9")), report(&json)] {
            assert_eq!((report.load, report.metrics.len()), (0.9, MOST + 1));
        }
        assert_eq!(report("TEXT a=1, named_metrics.a=2").metrics, [(Cow::Borrowed("a"), 1.0)]);
    }

    proptest! {
        #[test]
        fn whatever_a_server_sends_is_read_without_harm(value in "(TEXT |JSON |)[ -~]{0,60}") {
            if let Some(report) = Report::parse(value.as_bytes()) {
                prop_assert!((0.0..=1.0).contains(&report.load));
                prop_assert!(report.metrics.iter().all(|(name, value)| value.is_finite() && !name.is_empty()));
            }
        }

        #[test]
        fn bytes_of_any_kind_are_read_without_harm(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Report::parse(&value);
        }

        #[test]
        fn any_number_comes_through_both_forms(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
            let (text, json) = (format!("TEXT a={number:?}"), format!("JSON {{\"named_metrics\": {{\"a\": {number:?}}}}}"));
            for value in [text, json] {
                prop_assert_eq!(report(&value).metric("a").map(f64::to_bits), Some(number.to_bits()));
            }
        }
    }
}
