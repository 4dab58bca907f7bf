//! The web head: an HTTP event comes in, runs through the rules, and its answer goes out.

mod head;
mod inlet;
mod outlet;
mod stream;
mod waiting;
mod verify;

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::routing::{get, post};
use bytes::BytesMut;
use chassis::{Chassis, NoRoute, NotAdmitted};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use model::{Failure, Fault, RequestId};
use store::Store;

use inlet::Arrived;
pub(crate) use outlet::Detail;
use stream::{Answer, Running, Step};

use super::{Front, MAX_HEADER_BYTES};
use crate::admin::VERIFY;
use crate::config::WebMockHeader;
use crate::meter::{RequestSpan, Spans};

/// Why a tenant's request was not let in, as the Go chassis says it.
const DENY_REASON: HeaderName = HeaderName::from_static("x-txc-deny-reason");

/// What the web head needs to know.
pub(crate) struct Web {
    /// Runs the events.
    pub(crate) chassis: Arc<Chassis>,
    /// The largest body, in bytes; 0 is no limit.
    pub(crate) max_body: usize,
    /// How long a client may take to send its body.
    pub(crate) body_within: Duration,
    /// What a failed request tells its client.
    pub(crate) detail: Detail,
    /// Whether a client may choose mocks.
    pub(crate) mock_header: WebMockHeader,
    /// How long a client waits that asks how its request is.
    pub(crate) longpoll: Duration,
    /// Where the proofs of hosts are kept.
    pub(crate) store: Arc<Store>,
    /// Where what requests did is told.
    pub(crate) spans: Arc<Spans>,
}

/// The web head: `/healthz`, some routes of its own and `more`; everything else is an event.
pub(crate) fn front(web: Web, more: Router) -> Front {
    let web = Arc::new(web);
    let routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/_txc/healthz", get(healthz))
        .route(&verify::place(), get(verify::prove))
        .route(waiting::COMPLETE, post(waiting::complete))
        .fallback(|State(web): State<Arc<Web>>, request: Request<Body>| event(web, request))
        .with_state(Arc::clone(&web));
    Front::of_events(web, routes.merge(more))
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether a request is an event wherever it goes: no route is there.
pub(crate) fn is_event(path: &str) -> bool {
    const ROUTES: [&str; 4] = ["/_txc/", "/healthz", "/readyz", VERIFY];
    !ROUTES.iter().any(|route| path.starts_with(route))
}

/// The answer to an event.
pub(crate) async fn event<B>(web: Arc<Web>, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin,
{
    let (parts, body) = request.into_parts();
    let Ok(id) = RequestId::mint() else {
        // The operating system has no randomness: nothing here could be safe.
        return Response::builder()
            .status(StatusCode::SERVICE_UNAVAILABLE)
            .body(Body::empty())
            .unwrap_or_default();
    };
    let span = web.spans.begin(&id, &parts);
    // A bug below must cost this one answer, not the connection or the process (E2).
    let answer = AssertUnwindSafe(web.answer(&id, &parts, body, span.clone())).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_panic| web.panicked(&id, &parts.method));
    if let Some(span) = span {
        span.answered(response.status());
    }
    outlet::stamp(&mut response, &id);
    response
}

/// The answer to a request whose tenant may have none, or no more now.
fn not_admitted(refused: &NotAdmitted, id: &RequestId, method: &Method) -> Response<Body> {
    let (status, reason, wait) = match refused {
        NotAdmitted::Suspended(suspension) => {
            let status = StatusCode::from_u16(suspension.status).unwrap_or(StatusCode::FORBIDDEN);
            (status, suspension.reason.as_str(), None)
        }
        NotAdmitted::TooFast(wait) => (StatusCode::TOO_MANY_REQUESTS, "", Some(wait.as_secs())),
        NotAdmitted::TooMany => (StatusCode::TOO_MANY_REQUESTS, "", Some(0)),
    };
    let mut response = outlet::refused(status, refused.code(), id, method);
    let reason = if reason.is_empty() { refused.code() } else { reason };
    if let Ok(reason) = HeaderValue::from_bytes(reason.as_bytes()) {
        response.headers_mut().insert(DENY_REASON, reason);
    }
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.saturating_add(1)));
    }
    response
}

/// Why there is no whole body.
#[derive(Debug, PartialEq, Eq)]
enum BodyError {
    TooLarge,
    TooSlow,
    BrokenOff,
}

impl Web {
    async fn answer<B: HttpBody<Data = Bytes> + Send + Unpin>(
        &self,
        id: &RequestId,
        parts: &Parts,
        body: B,
        span: Option<Arc<RequestSpan>>,
    ) -> Response<Body> {
        let refuse = |status, code| outlet::refused(status, code, id, &parts.method);
        if weight(&parts.headers) > usize::try_from(MAX_HEADER_BYTES).unwrap_or(usize::MAX) {
            return refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large");
        }
        // A 2xx would tell whoever looks for open proxies that a tunnel begins here.
        if parts.method == Method::CONNECT {
            return refuse(StatusCode::NOT_IMPLEMENTED, "method_unsupported");
        }
        if !head::names_one_host(parts) {
            return refuse(StatusCode::BAD_REQUEST, "host_invalid");
        }
        if !head::is_whole(&parts.headers) {
            let mut response = refuse(StatusCode::NOT_IMPLEMENTED, "transfer_coding_unsupported");
            // Who took another part of what was sent for the body is not heard again.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return response;
        }
        let route = match self.chassis.space().route(&inlet::host(parts)) {
            Ok(route) => route,
            Err(NoRoute::NoRules) => return refuse(StatusCode::NOT_FOUND, "not_found"),
            Err(NoRoute::UnknownHost) => return refuse(StatusCode::NOT_FOUND, "host_unknown"),
            Err(NoRoute::NoStack) => return refuse(StatusCode::NOT_FOUND, "stack_unknown"),
            Err(NoRoute::Broken) => return refuse(StatusCode::SERVICE_UNAVAILABLE, "rules_broken"),
        };
        if let Some(asked) = waiting::asked(parts) {
            return match self.chassis.listen(&route) {
                Ok(()) => waiting::poll(self, &asked, &route, id, parts).await,
                Err(refused) => not_admitted(&refused, id, &parts.method),
            };
        }
        let pass = match self.chassis.admit(&route) {
            Ok(pass) => pass,
            Err(refused) => return not_admitted(&refused, id, &parts.method),
        };
        let body = match read(&parts.headers, body, self.max_body, self.body_within).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Err(BodyError::TooSlow) => return refuse(StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            Err(BodyError::BrokenOff) => return refuse(StatusCode::BAD_REQUEST, "body_broken_off"),
        };
        let arrived = Arrived {
            request: id,
            tenant: &route.tenant_slug,
            stack: &route.stack,
            at: Timestamp::now(),
            parts,
            body,
        };
        let Ok(mut envelope) = arrived.into_envelope() else {
            return refuse(StatusCode::BAD_REQUEST, "query_invalid");
        };
        if self.mock_header == WebMockHeader::Yes {
            inlet::choose_mocks(&mut envelope, &parts.headers);
        }
        let request = chassis::Request::new(id.clone(), route, envelope).admitted(pass);
        let answer = if parts.method == Method::HEAD { Answer::AtOnce } else { Answer::InPieces };
        let mut running = Running::start(Arc::clone(&self.chassis), request, answer, span);
        let outcome = match running.step().await {
            Step::End(outcome) => outcome,
            Step::Piece(envelope) => {
                return match outlet::begin(&envelope) {
                    Ok((mut response, first)) => {
                        *response.body_mut() = running.body(first, id.clone());
                        response
                    }
                    Err(failure) => self.unshaped(&failure, id, parts),
                };
            }
            Step::Ticket(ticket) => {
                // It has a place of its own, which the end of the chassis waits for.
                drop(tokio::spawn(running.run_out()));
                return waiting::accepted(&ticket, parts);
            }
            Step::Panicked => return self.panicked(id, &parts.method),
        };
        if let Some(failed) = &outcome.failure {
            return outlet::failed(&failed.failure, Some(&failed.rule), id, &parts.method, self.detail);
        }
        if let Some(ticket) = &outcome.ticket {
            return waiting::accepted(ticket, parts);
        }
        outlet::shape(&outcome.envelope, &parts.method)
            .unwrap_or_else(|failure| self.unshaped(&failure, id, parts))
    }

    /// The answer of a request whose rules shaped none that can be sent.
    fn unshaped(&self, failure: &Failure, id: &RequestId, parts: &Parts) -> Response<Body> {
        tracing::warn!(request_id = %id, code = failure.fault.code(), detail = failure.detail, "answer not sent");
        outlet::failed(failure, None, id, &parts.method, self.detail)
    }

    fn panicked(&self, id: &RequestId, method: &Method) -> Response<Body> {
        let failure = Failure::new(Fault::Internal, "a panic; see the log");
        outlet::failed(&failure, None, id, method, self.detail)
    }
}

/// The whole body, as long as it is small enough and comes in time.
async fn read<B: HttpBody<Data = Bytes> + Send + Unpin>(
    headers: &HeaderMap,
    mut body: B,
    most: usize,
    within: Duration,
) -> Result<Bytes, BodyError> {
    let most = if most == 0 { usize::MAX } else { most };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > most) {
        return Err(BodyError::TooLarge);
    }
    let read = async {
        let mut whole = Bytes::new();
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            // Trailers are nobody's.
            let Ok(chunk) = frame.map_err(|_| BodyError::BrokenOff)?.into_data() else { continue };
            if chunk.len() > most.saturating_sub(whole.len()) {
                return Err(BodyError::TooLarge);
            }
            whole = joined(whole, chunk);
        }
        Ok(whole)
    };
    tokio::time::timeout(within, read).await.unwrap_or(Err(BodyError::TooSlow))
}

/// A body that comes in one piece, as most do, is not copied.
fn joined(before: Bytes, chunk: Bytes) -> Bytes {
    if before.is_empty() {
        return chunk;
    }
    let mut whole = BytesMut::from(before);
    whole.extend_from_slice(&chunk);
    whole.freeze()
}

fn weight(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the fuzz crate exports what is a module here")]
#[path = "../../../fuzz/src/received.rs"]
mod received;

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;

    use super::*;

    const LONG: Duration = Duration::from_secs(5);

    fn in_chunks(chunks: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(chunks.iter().map(|chunk| Ok::<_, io::Error>(Bytes::from(*chunk)))))
    }

    #[test]
    fn what_fuzzing_tried_becomes_an_envelope() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/received");
        let inputs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() >= 5, "{inputs:?}");
        for input in inputs {
            received::received(&std::fs::read(input).unwrap());
        }
    }

    #[tokio::test]
    async fn a_body_of_the_limit_is_read_and_one_byte_more_is_not() {
        let none = HeaderMap::new();
        let read_of = async |chunks, most| read(&none, in_chunks(chunks), most, LONG).await;
        assert_eq!(read_of(&["ab", "cde"], 5).await, Ok(Bytes::from("abcde")));
        assert_eq!(read_of(&["ab", "cdef"], 5).await, Err(BodyError::TooLarge));
        assert_eq!(read_of(&["ab", "cdef"], 0).await, Ok(Bytes::from("abcdef")));
    }

    #[tokio::test]
    async fn an_announced_length_is_refused_before_it_is_read() {
        let headers: HeaderMap =
            [(header::CONTENT_LENGTH, HeaderValue::from_static("6"))].into_iter().collect();
        let never = || Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
        assert_eq!(read(&headers, never(), 5, LONG).await, Err(BodyError::TooLarge));
        assert_eq!(read(&headers, in_chunks(&["abcdef"]), 6, LONG).await, Ok(Bytes::from("abcdef")));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_given_up() {
        let none = HeaderMap::new();
        let never = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
        assert_eq!(read(&none, never, 5, Duration::from_millis(10)).await, Err(BodyError::TooSlow));
        let broken = Body::from_stream(stream::iter([Ok(Bytes::from("a")), Err(io::Error::other("gone"))]));
        assert_eq!(read(&none, broken, 5, LONG).await, Err(BodyError::BrokenOff));
    }

    #[test]
    fn headers_weigh_what_their_names_and_values_do() {
        let headers: HeaderMap =
            [(header::HOST, HeaderValue::from_static("abc")), (header::ACCEPT, HeaderValue::from_static(""))]
                .into_iter()
                .collect();
        assert_eq!(weight(&headers), 4 + 3 + 6);
    }
}
