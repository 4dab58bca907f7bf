//! What requests did, on its way to a collector of traces.
//!
//! Spans are a copy; the trace files are the evidence. So nothing waits for a collector: a queue
//! holds so many, and what does not fit is dropped and counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use chassis::{Request, Step, Watch, Watchers};
use egress::OtlpClient;
use model::{Path, RequestId, Value};

use super::otlp::ExporterError;
use super::parent::Parent;
use super::span::{Kind, Span, request};
use crate::config::{Otel, Sampler};

/// Spans that may wait, as the specification has it.
const QUEUE: usize = 2048;
/// Spans sent at once, as the specification has it.
const BATCH: usize = 512;
/// How a request ended that nobody carried to its end, and what ran of it then.
const CANCELLED: &str = "cancelled";

/// The spans that wait for a collector; none before there is one.
#[derive(Default)]
pub(crate) struct Spans(OnceLock<Collector>);

struct Collector {
    client: OtlpClient,
    resource: Vec<(String, String)>,
    interval: Duration,
    sampler: Sampler,
    waiting: Mutex<VecDeque<Vec<u8>>>,
    dropped: AtomicU64,
    /// A batch is full.
    full: tokio::sync::Notify,
    /// Held while sending: the last flush waits for the one under way.
    sending: tokio::sync::Mutex<Failing>,
}

/// Whether the last sending failed: only the first failure in a row is logged.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Failing(bool);

impl Spans {
    /// From now on there is a collector; a second one changes nothing.
    ///
    /// # Errors
    /// [`ExporterError`]: an endpoint or a header that is none.
    pub(crate) fn start(&self, otel: Otel, sampler: Sampler) -> Result<(), ExporterError> {
        let client = OtlpClient::new(&otel.endpoint, &otel.headers, otel.timeout)?;
        self.0.get_or_init(|| Collector {
            client,
            resource: otel.resource,
            interval: otel.interval,
            sampler,
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
            full: tokio::sync::Notify::new(),
            sending: tokio::sync::Mutex::default(),
        });
        Ok(())
    }

    /// How many spans no collector got; none when there is none.
    pub(crate) fn dropped(&self) -> Option<u64> {
        self.0.get().map(|collector| collector.dropped.load(Ordering::Relaxed))
    }

    /// The span of a request that begins now, when it is to be exported.
    pub(crate) fn begin(self: &Arc<Self>, id: &RequestId, parts: &Parts) -> Option<Arc<RequestSpan>> {
        let collector = self.0.get()?;
        let parent = Parent::of(&parts.headers);
        let trace = parent.map_or_else(|| id.to_bytes(), |parent| parent.trace);
        if !collector.sampler.takes(trace, parent.map(|parent| parent.sampled)) {
            return None;
        }
        let part = Part::Event { method: known(&parts.method), path: parts.uri.path().to_owned() };
        self.part(id, trace, parent.map(|parent| parent.span), part)
    }

    fn part(
        self: &Arc<Self>,
        id: &RequestId,
        trace: [u8; 16],
        parent: Option<[u8; 8]>,
        part: Part,
    ) -> Option<Arc<RequestSpan>> {
        let mut own = [0; 8];
        getrandom::fill(&mut own).ok()?;
        Some(Arc::new(RequestSpan {
            spans: Arc::clone(self),
            request: id.clone(),
            trace,
            parent,
            own: u64::from_be_bytes(own),
            part,
            steps: Mutex::default(),
            started: SystemTime::now(),
            seen: Mutex::default(),
        }))
    }

    /// Sends for as long as it is polled: every interval, and as soon as a batch is full.
    pub(crate) async fn run(self: Arc<Self>) {
        let Some(collector) = self.0.get() else { return };
        loop {
            tokio::select! {
                () = tokio::time::sleep(collector.interval) => {}
                () = collector.full.notified() => {}
            }
            collector.flush().await;
        }
    }

    /// Sends what waits.
    pub(crate) async fn flush(&self) {
        if let Some(collector) = self.0.get() {
            collector.flush().await;
        }
    }

    fn push(&self, spans: Vec<Vec<u8>>) {
        if let Some(collector) = self.0.get() {
            collector.push(spans);
        }
    }
}

impl Watchers for Spans {
    fn again(self: Arc<Self>, request: &Request, mark: &str) -> Option<Arc<dyn Watch>> {
        let first = Parent::parse(mark)?;
        let takes = self.0.get()?.sampler.takes(first.trace, Some(first.sampled));
        let part = takes.then_some(Part::Again)?;
        let span = self.part(&request.id, first.trace, Some(first.span), part)?;
        locked(&span.seen).place = Some(place(request));
        Some(span)
    }
}

impl Collector {
    /// Spans of one request; those that do not fit are dropped.
    fn push(&self, spans: Vec<Vec<u8>>) {
        let mut waiting = locked(&self.waiting);
        let (all, free) = (spans.len(), QUEUE.saturating_sub(waiting.len()));
        waiting.extend(spans.into_iter().take(free));
        let full = waiting.len() >= BATCH;
        drop(waiting);
        self.drop_some(all.saturating_sub(free));
        if full {
            self.full.notify_one();
        }
    }

    fn drop_some(&self, spans: usize) {
        self.dropped.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Batch after batch, until none waits or one is not taken.
    async fn flush(&self) {
        let mut failing = self.sending.lock().await;
        loop {
            let batch: Vec<_> = {
                let mut waiting = locked(&self.waiting);
                let most = waiting.len().min(BATCH);
                waiting.drain(..most).collect()
            };
            if batch.is_empty() {
                return;
            }
            match (self.client.send(request(&batch, &self.resource)).await, *failing) {
                (Ok(()), Failing(true)) => {
                    tracing::info!("spans are exported again");
                    *failing = Failing(false);
                }
                (Ok(()), Failing(false)) => {}
                (Err(error), before) => {
                    self.drop_some(batch.len());
                    if before == Failing(false) {
                        tracing::warn!(%error, "spans could not be exported");
                    }
                    *failing = Failing(true);
                    return;
                }
            }
        }
    }
}

/// The span of one request, while it runs, or of what it does after it waited. It ends when nobody
/// has it any more, also when the client has left or the answer is broken off.
pub(crate) struct RequestSpan {
    spans: Arc<Spans>,
    request: RequestId,
    trace: [u8; 16],
    parent: Option<[u8; 8]>,
    own: u64,
    part: Part,
    steps: Mutex<Vec<Step>>,
    started: SystemTime,
    seen: Mutex<Seen>,
}

/// Which part of a request.
enum Part {
    /// From its beginning.
    Event { method: &'static str, path: String },
    /// After it waited: below the span of its beginning, which is over.
    Again,
}

/// What is known of a request later than its beginning.
#[derive(Default)]
struct Seen {
    /// Tenant and stack.
    place: Option<(String, String)>,
    /// Its path, once its rules may have hidden it; an empty one is left out.
    path: Option<String>,
    failure: Option<&'static str>,
    status: Option<StatusCode>,
}

impl RequestSpan {
    /// The request goes through rules, which may hide its path.
    pub(crate) fn entered(self: Arc<Self>, request: Request) -> Request {
        if let Part::Event { path: told, .. } = &self.part {
            let path = Path::from_segments(["_txc", "web", "req", "url", "path"]).ok();
            let path = path.and_then(|path| request.shown(&path, Value::from(told.as_str())));
            let path = path.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut seen = locked(&self.seen);
            (seen.place, seen.path) = (Some(place(&request)), Some(path));
        }
        request.watched(self)
    }

    /// Its answer begins.
    pub(crate) fn answered(&self, status: StatusCode) {
        locked(&self.seen).status = Some(status);
    }

    /// The id of the span `at` places behind the request's own. Zero is no id.
    fn id(&self, at: usize) -> [u8; 8] {
        self.own.wrapping_add(at as u64).max(1).to_be_bytes()
    }

    fn encoded(&self) -> Vec<Vec<u8>> {
        let seen = locked(&self.seen);
        let own = self.id(0);
        let (name, kind) = match &self.part {
            Part::Event { method, .. } => (*method, Kind::Server),
            Part::Again => ("continuation.resume", Kind::Consumer),
        };
        let mut span = Span::new(self.trace, own, self.parent, name, kind);
        span.times(self.started, SystemTime::now()).text("txco.request_id", self.request.as_str());
        if let Part::Event { method, path } = &self.part {
            span.text("http.request.method", method);
            let path = seen.path.as_ref().unwrap_or(path);
            if !path.is_empty() {
                span.text("url.path", path);
            }
        }
        if let Some((tenant, stack)) = &seen.place {
            span.text("txco.tenant.slug", tenant).text("txco.stack", stack);
        }
        if let Some(status) = seen.status {
            span.number("http.response.status_code", u64::from(status.as_u16()));
        }
        let failed = match (seen.failure, &seen.status, &self.part) {
            (Some(code), ..) => Some(code),
            (None, Some(status), _) => status.is_server_error().then(|| status.as_str()),
            (None, None, Part::Event { .. }) => Some(CANCELLED),
            (None, None, Part::Again) => None,
        };
        if let Some(code) = failed {
            span.broken(code, self.why(code));
        }
        let steps = std::mem::take(&mut *locked(&self.steps));
        let steps = steps.iter().enumerate().map(|(at, step)| {
            let mut span = Span::of_step(step, self.trace, self.id(at + 1), own);
            if step.broken_off {
                // By what ended its request.
                let code = seen.failure.unwrap_or(CANCELLED);
                span.broken(code, self.why(code));
            }
            span.into_bytes()
        });
        std::iter::once(span.into_bytes()).chain(steps).collect()
    }

    /// What is said of a request that nobody carried to its end.
    fn why(&self, code: &str) -> &'static str {
        match &self.part {
            Part::Event { .. } if code == CANCELLED => "client left",
            Part::Again if code == CANCELLED => "chassis ended",
            Part::Event { .. } | Part::Again => "",
        }
    }
}

impl Watch for RequestSpan {
    fn step(&self, step: &Step) {
        locked(&self.steps).push(step.clone());
    }

    fn ended(&self, failure: Option<&'static str>) {
        locked(&self.seen).failure = failure;
    }

    fn mark(&self) -> String {
        let span = match (&self.part, self.parent) {
            // All that it does is below its beginning.
            (Part::Again, Some(first)) => first,
            (Part::Event { .. } | Part::Again, _) => self.id(0),
        };
        Parent { trace: self.trace, span, sampled: true }.text()
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        self.spans.push(self.encoded());
    }
}

/// Tenant and stack.
fn place(request: &Request) -> (String, String) {
    (request.tenant_slug.as_str().to_owned(), request.stack.as_str().to_owned())
}

/// The methods that the semantic conventions know; a client must not make up names of spans.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "CONNECT" => "CONNECT",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "PATCH" => "PATCH",
        _ => "_OTHER",
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::http;

    use super::*;
    use crate::config::Signal;

    fn started() -> Arc<Spans> {
        let variables = BTreeMap::from([("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]);
        let otel = Otel::read(&variables, Signal::Traces).unwrap().unwrap();
        let spans = Arc::new(Spans::default());
        spans.start(otel, Sampler::read(&variables).unwrap()).unwrap();
        spans
    }

    fn begin(spans: &Arc<Spans>, parent: &str) -> Option<Arc<RequestSpan>> {
        let request = http::Request::get("/a?q=s3cret").header("traceparent", parent).body(()).unwrap();
        spans.begin(&RequestId::mint().unwrap(), &request.into_parts().0)
    }

    #[test]
    fn without_a_collector_there_are_none() {
        let none = Arc::new(Spans::default());
        assert!(begin(&none, "").is_none());
        assert_eq!(none.dropped(), None);
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let spans = started();
        for _ in 0..QUEUE + 3 {
            drop(begin(&spans, ""));
        }
        assert_eq!(spans.dropped(), Some(3));
        assert_eq!(locked(&spans.0.get().unwrap().waiting).len(), QUEUE);
    }

    #[tokio::test]
    async fn what_is_not_taken_is_counted() {
        let spans = started();
        drop(begin(&spans, ""));
        spans.flush().await;
        assert_eq!(spans.dropped(), Some(1));
    }

    #[test]
    fn a_request_is_of_its_callers_trace_or_of_its_own() {
        let spans = started();
        let of = begin(&spans, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!((of.trace[0], of.parent.unwrap()[1]), (0x4b, 0xf0));
        assert!(begin(&spans, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00").is_none());
        let own = begin(&spans, "not one").unwrap();
        assert_eq!((own.trace, own.parent), (own.request.to_bytes(), None));
    }

    #[test]
    fn a_span_says_how_its_request_ended() {
        let spans = started();
        let told = |span: &RequestSpan| String::from_utf8_lossy(&span.encoded()[0]).into_owned();
        let span = begin(&spans, "").unwrap();
        assert!(told(&span).contains("cancelled"), "nobody has answered");
        span.answered(StatusCode::BAD_GATEWAY);
        let text = told(&span);
        assert!(text.contains("error.type") && text.contains("502") && !text.contains("cancelled"), "{text}");
        span.answered(StatusCode::NOT_FOUND);
        let text = told(&span);
        assert!(!text.contains("error.type") && text.contains("/a") && !text.contains("s3cret"), "{text}");
    }
}
