//! Where metrics and spans are exported to, as the standard `OTEL_*` variables say.

use std::time::Duration;

use zeroize::Zeroizing;

use super::ConfigError;
use super::env::Environment;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Numbers.
    Metrics,
    /// Spans.
    Traces,
}

impl Signal {
    /// Its name in variables, its path at a collector, and how often it is sent: the variable, and without it.
    const fn names(self) -> (&'static str, &'static str, &'static str, Duration) {
        match self {
            Self::Metrics => {
                ("METRICS", "v1/metrics", "OTEL_METRIC_EXPORT_INTERVAL", Duration::from_secs(60))
            }
            Self::Traces => ("TRACES", "v1/traces", "OTEL_BSP_SCHEDULE_DELAY", Duration::from_secs(5)),
        }
    }
}

/// A collector and how it is talked to. Its headers often hold a key, so it cannot be printed.
///
/// ```compile_fail,E0277
/// fn f(o: txco::config::Otel) { let _ = format!("{o:?}"); }
/// ```
pub struct Otel {
    /// Where they are sent.
    pub endpoint: String,
    /// What is sent along.
    pub headers: Vec<(String, Zeroizing<String>)>,
    /// How long one sending may take.
    pub timeout: Duration,
    /// How long to wait between two.
    pub interval: Duration,
    /// What this process is called, and more about it.
    pub resource: Vec<(String, String)>,
}

impl Otel {
    /// Reads the variables for `signal`; none when they name no collector or switch it off.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that cannot be.
    pub fn read(environment: &dyn Environment, signal: Signal) -> Result<Option<Self>, ConfigError> {
        let (name, path, interval, default_interval) = signal.names();
        let variable = |name: &str| environment.variable(name).map(|text| text.trim().to_owned());
        // The variable for one signal wins over the one for all signals.
        let own = format!("OTEL_EXPORTER_OTLP_{name}_");
        let either = |end: &str| {
            let names = [format!("{own}{end}"), format!("OTEL_EXPORTER_OTLP_{end}")];
            names.into_iter().find_map(|name| variable(&name).map(|text| (name, text)))
        };
        let off = variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        if off || variable(&format!("OTEL_{name}_EXPORTER")).is_some_and(|text| text == "none") {
            return Ok(None);
        }
        let Some((place, text)) = either("ENDPOINT") else { return Ok(None) };
        let endpoint = match place.starts_with(&own) {
            true => text,
            false => format!("{}/{path}", text.trim_end_matches('/')),
        };
        if let Some((place, protocol)) = either("PROTOCOL").filter(|(_, text)| text != "http/protobuf") {
            let reason = if protocol.starts_with("grpc") { " (port 4318 as a rule, not 4317)" } else { "" };
            return Err(ConfigError { place, reason: format!("this chassis speaks http/protobuf{reason}") });
        }
        let headers = match either("HEADERS") {
            Some((place, text)) => {
                pairs(&text).ok_or_else(|| wrong(&place, "expected name=value,name=value"))?
            }
            None => Vec::new(),
        };
        let resource = match variable("OTEL_RESOURCE_ATTRIBUTES") {
            Some(text) => pairs(&text)
                .ok_or_else(|| wrong("OTEL_RESOURCE_ATTRIBUTES", "expected name=value,name=value"))?,
            None => Vec::new(),
        };
        let millis = |found: Option<(String, String)>, default| match found {
            None => Ok(default),
            Some((place, text)) => match text.parse::<u64>() {
                Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
                _ => Err(wrong(&place, "expected a number of milliseconds")),
            },
        };
        let interval = variable(interval).map(|text| (interval.to_owned(), text));
        Ok(Some(Self {
            endpoint,
            headers,
            timeout: millis(either("TIMEOUT"), DEFAULT_TIMEOUT)?,
            interval: millis(interval, default_interval)?,
            resource: named(variable("OTEL_SERVICE_NAME"), resource),
        }))
    }
}

fn wrong(place: &str, reason: &str) -> ConfigError {
    ConfigError { place: place.to_owned(), reason: reason.to_owned() }
}

/// `OTEL_SERVICE_NAME` wins over `service.name` among the attributes.
fn named(service: Option<String>, attributes: Vec<(String, Zeroizing<String>)>) -> Vec<(String, String)> {
    let mut resource: Vec<_> =
        attributes.into_iter().map(|(name, value)| (name, value.as_str().to_owned())).collect();
    if let Some(service) = service {
        resource.retain(|(name, _)| name != "service.name");
        resource.push(("service.name".to_owned(), service));
    } else if !resource.iter().any(|(name, _)| name == "service.name") {
        resource.push(("service.name".to_owned(), "txco".to_owned()));
    }
    resource
}

/// `name=value` pairs between commas, values percent-encoded (W3C Baggage).
fn pairs(text: &str) -> Option<Vec<(String, Zeroizing<String>)>> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let value = percent_decoded(value.trim())?;
        Some((name.trim().to_owned(), value)).filter(|(name, _)| !name.is_empty())
    };
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(pair).collect()
}

fn percent_decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(variables: &[(&'static str, &'static str)]) -> Result<Option<Otel>, String> {
        let map: BTreeMap<&str, &str> = variables.iter().copied().collect();
        Otel::read(&map, Signal::Metrics).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_named_is_nothing_exported() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[on, ("OTEL_SDK_DISABLED", "TRUE")]).unwrap().is_none());
        assert!(read(&[on, ("OTEL_METRICS_EXPORTER", "none")]).unwrap().is_none());
        assert!(read(&[on]).unwrap().is_some());
    }

    #[test]
    fn the_variable_for_metrics_wins_and_is_taken_as_it_is() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/");
        let otel = read(&[all]).unwrap().unwrap();
        assert_eq!(otel.endpoint, "http://localhost:4318/v1/metrics");
        assert_eq!((otel.timeout, otel.interval), (DEFAULT_TIMEOUT, Duration::from_secs(60)));
        let metrics = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://c.example/otlp");
        assert_eq!(read(&[all, metrics]).unwrap().unwrap().endpoint, "https://c.example/otlp");
        let both = BTreeMap::from([all, metrics, ("OTEL_METRICS_EXPORTER", "none")]);
        let spans = Otel::read(&both, Signal::Traces).unwrap().unwrap();
        assert_eq!(spans.endpoint, "http://localhost:4318/v1/traces");
        assert_eq!(spans.interval, Duration::from_secs(5));
    }

    #[test]
    fn headers_and_attributes_are_pairs() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%2Cc, x = y");
        let otel = read(&[on, headers, ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,host.name=h")]);
        let otel = otel.unwrap().unwrap();
        let headers: Vec<_> = otel.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(headers, [("api-key", "a b,c"), ("x", "y")]);
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(otel.resource, [pair("service.name", "x"), pair("host.name", "h")]);
        let otel = read(&[on, ("OTEL_SERVICE_NAME", "shop"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x")]);
        assert_eq!(otel.unwrap().unwrap().resource, [pair("service.name", "shop")]);
        assert_eq!(read(&[on]).unwrap().unwrap().resource, [pair("service.name", "txco")]);
    }

    #[test]
    fn what_cannot_be_is_told_without_its_value() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        for (variable, said) in [
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "speaks http/protobuf"),
            (("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"), "speaks http/protobuf"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"), "expected name=value"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "k=%2"), "expected name=value"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), "expected a number of milliseconds"),
            (("OTEL_METRIC_EXPORT_INTERVAL", "0"), "expected a number of milliseconds"),
        ] {
            let error = read(&[on, variable]).err().unwrap();
            assert!(error.starts_with(variable.0) && error.contains(said), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
