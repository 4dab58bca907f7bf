//! One span in the Protobuf encoding of OTLP 1.x, with the names of the semantic conventions.

use std::time::{Duration, SystemTime};

use chassis::Step;
use jiff::Timestamp;

use super::protobuf::{Message, key_value, nanos, resource as resource_of, scope};

/// How much of one text a span tells, in bytes: what waits for a collector stays small.
const TEXT_CAP: usize = 1024;

/// `SpanKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
    Consumer = 5,
}

/// A span on its way to be encoded.
pub(super) struct Span(Message);

impl Span {
    pub(super) fn new(trace: [u8; 16], id: [u8; 8], parent: Option<[u8; 8]>, name: &str, kind: Kind) -> Self {
        let mut span = Message::default();
        span.bytes(1, &trace).bytes(2, &id);
        if let Some(parent) = parent {
            span.bytes(4, &parent);
        }
        span.text(5, name).number(6, kind as u64);
        Self(span)
    }

    pub(super) fn times(&mut self, started: SystemTime, ended: SystemTime) -> &mut Self {
        self.0.fixed(7, nanos(started)).fixed(8, nanos(ended));
        self
    }

    pub(super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let end = text.floor_char_boundary(TEXT_CAP);
        self.0.message(9, &key_value(name, text.get(..end).unwrap_or_default()));
        self
    }

    pub(super) fn number(&mut self, name: &str, number: u64) -> &mut Self {
        let (mut value, mut pair) = (Message::default(), Message::default());
        value.number(3, number);
        pair.text(1, name).message(2, &value);
        self.0.message(9, &pair);
        self
    }

    /// Failed, and of what kind the failure was.
    pub(super) fn failed(&mut self, code: &str) -> &mut Self {
        self.broken(code, "")
    }

    /// The same, with a word more for people; never one of a rule or a client.
    pub(super) fn broken(&mut self, code: &str, why: &'static str) -> &mut Self {
        self.text("error.type", code);
        let mut status = Message::default();
        if !why.is_empty() {
            status.text(2, why);
        }
        status.number(3, 2);
        self.0.message(15, &status);
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// What a rule did. Of an address only the host is told; never a query, a header, a message
    /// of a failure or what an op logged.
    pub(super) fn of_step(step: &Step, trace: [u8; 16], id: [u8; 8], parent: [u8; 8]) -> Self {
        let name = format!("{}/{}/{}", step.stack, step.scope, step.rule);
        let host = (step.transport == "http").then(|| host(&step.operation)).flatten();
        let kind = if step.transport == "http" { Kind::Client } else { Kind::Internal };
        let mut span = Self::new(trace, id, Some(parent), &name, kind);
        let since =
            Duration::try_from(step.started.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
        let started = SystemTime::UNIX_EPOCH + since;
        span.times(started, started + step.elapsed);
        span.text("txco.stack", step.stack.as_str())
            .number("txco.scope", u64::from(step.scope))
            .text("txco.rule", &step.rule)
            .text("txco.transport", step.transport);
        if matches!(step.transport, "txco" | "op") {
            span.text("txco.op", &step.operation);
        }
        if let Some((host, port)) = host {
            span.text("server.address", host);
            if let Some(port) = port {
                span.number("server.port", port);
            }
        }
        let used = step.secrets.iter().map(|used| match used.version {
            Some(version) => format!("{} v{version}", used.name),
            None => used.name.to_string(),
        });
        let used: Vec<_> = used.collect();
        if !used.is_empty() {
            span.text("txco.secret.name", &used.join(", "));
        }
        if let Some(fault) = step.failure.as_ref().map(|failure| failure.fault).or(step.gone_on_after) {
            span.failed(fault.code());
        }
        span
    }
}

/// `ExportTraceServiceRequest` of spans that are encoded already.
pub(super) fn request(spans: &[Vec<u8>], resource: &[(String, String)]) -> Vec<u8> {
    let mut scope_spans = Message::default();
    scope_spans.message(1, &scope());
    for span in spans {
        scope_spans.bytes(2, span);
    }
    let mut resource_spans = Message::default();
    resource_spans.message(1, &resource_of(resource)).message(2, &scope_spans);
    let mut request = Message::default();
    request.message(1, &resource_spans);
    request.into_bytes()
}

/// The host of an address as a rule has it, and its port.
fn host(url: &str) -> Option<(&str, Option<u64>)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    let usual = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    Some((host, port.or(usual))).filter(|(host, _)| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use model::{Failure, Fault, Path, SecretName, Slot, StackName};

    use super::*;

    /// The vector was made by another implementation (`opentelemetry-proto` for Python).
    #[test]
    fn a_request_is_what_collectors_read() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut root = Span::new([1; 16], [2; 8], None, "GET", Kind::Server);
        root.times(at(1), at(200)).text("url.path", "/x").number("http.response.status_code", 500);
        root.failed("egress_timeout");
        let child = Span::of_step(&step(), [1; 16], [3; 8], [2; 8]);
        let resource = [("service.name".to_owned(), "txco".to_owned())];
        let bytes = request(&[root.into_bytes(), child.into_bytes()], &resource);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let told = hex(&bytes).replace(&hex(env!("CARGO_PKG_VERSION").as_bytes()), "VERSION");
        assert_eq!(told, include_str!("otlp/spans.hex").trim_end());
    }

    fn step() -> Step {
        Step {
            stack: StackName::parse("web").unwrap(),
            scope: 200,
            rule: "call".into(),
            operation: "https://u:pass@api.vendor.com:8443/things?key=s3cret".into(),
            transport: "http",
            started: Timestamp::from_second(2).unwrap(),
            elapsed: Duration::from_millis(5),
            secrets: vec![chassis::SecretUse {
                slot: Slot::new(Path::parse("key").unwrap()).unwrap(),
                name: SecretName::parse("VENDOR_KEY").unwrap(),
                version: Some(3),
                mode: "splice",
                destination: "https://api.vendor.com".into(),
            }],
            notes: vec!["a note".to_owned()],
            log: vec!["a line".to_owned()],
            failure: Some(Failure::new(Fault::OpFailed, "a detail")),
            gone_on_after: None,
            broken_off: false,
        }
    }

    #[test]
    fn of_an_address_only_the_host_is_told() {
        for (url, told) in [
            ("https://api.vendor.com/x?key=s3cret", Some(("api.vendor.com", Some(443)))),
            ("http://u:p@h:8080?k", Some(("h", Some(8080)))),
            ("https://[2001:db8::1]/x", Some(("[2001:db8::1]", Some(443)))),
            ("https://[::1]:9/x", Some(("[::1]", Some(9)))),
            ("https:///x", None),
            ("nothing", None),
        ] {
            assert_eq!(host(url), told, "{url}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut span = Span::new([1; 16], [2; 8], None, "GET", Kind::Server);
        span.text("url.path", &"é".repeat(2 * TEXT_CAP));
        assert!(span.into_bytes().len() < TEXT_CAP + 100);
    }
}
