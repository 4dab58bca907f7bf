//! What a request left behind becomes the HTTP answer.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::{CREDENTIAL_TEXT, Envelope, Failure, Fault, Object, RequestId, Value};

/// Whether an answer may say more than that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Only the outside code (R7): the client learns no name and no cause.
    Hidden,
    /// The typed code, the rule, the secret's name and the detail: `txco dev`.
    Shown,
}

/// The header that carries our own id of the request (R35).
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that belong to the connection. A rule that copies an upstream's headers would
/// otherwise let that upstream frame our answer (response smuggling).
const OURS: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// Shapes the answer from `_txc.web.res` (status, headers, base64 body); without a body the
/// envelope itself, without its top-level `_` members.
///
/// A sealed value has no bytes here, so it can only print as `[credential]`.
pub(super) fn shape(envelope: &Envelope, method: &Method) -> Result<Response<Body>, Failure> {
    let status = status(at(envelope, "status"));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(Value::Object(wanted)) = at(envelope, "headers") {
        for (name, value) in wanted {
            set_header(&mut headers, name, value)?;
        }
    }
    Ok(response(status, headers, body(envelope)?, method))
}

/// The beginning of an answer that goes on while its request does: status and headers, no
/// body yet, and the first piece of it.
pub(super) fn begin(envelope: &Envelope) -> Result<(Response<Body>, Bytes), Failure> {
    let first = piece(envelope)?;
    let mut response = shape(envelope, &Method::HEAD)?;
    response.headers_mut().remove(header::CONTENT_LENGTH);
    Ok((response, first))
}

/// The bytes that a scope left as a piece of an answer; none when it left nothing.
pub(super) fn piece(envelope: &Envelope) -> Result<Bytes, Failure> {
    match at(envelope, "body") {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Bytes::new()),
        Some(_) => body(envelope).map(Bytes::from),
    }
}

/// The answer to a request that failed.
pub(super) fn failed(
    failure: &Failure,
    rule: Option<&str>,
    request: &RequestId,
    method: &Method,
    detail: Detail,
) -> Response<Body> {
    let mut error = serde_json::Map::new();
    error.insert("code".to_owned(), failure.fault.outside().into());
    error.insert("request_id".to_owned(), request.as_str().into());
    if detail == Detail::Shown {
        error.insert("fault".to_owned(), failure.fault.code().into());
        error.insert("meaning".to_owned(), failure.fault.meaning().into());
        for (key, text) in [
            ("rule", rule),
            ("secret", failure.secret.as_ref().map(model::SecretName::as_str)),
            ("detail", Some(failure.detail.as_str())),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                error.insert(key.to_owned(), text.into());
            }
        }
    }
    let status = StatusCode::from_u16(failure.fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    problem(status, &error, method)
}

/// The answer to a request that never became an event: too large, not found …
pub(super) fn refused(
    status: StatusCode,
    code: &str,
    request: &RequestId,
    method: &Method,
) -> Response<Body> {
    let mut error = serde_json::Map::new();
    error.insert("code".to_owned(), code.into());
    error.insert("request_id".to_owned(), request.as_str().into());
    problem(status, &error, method)
}

/// Puts our request id on an answer, whatever a rule wrote there.
pub(super) fn stamp(response: &mut Response<Body>, request: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(request.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

fn problem(
    status: StatusCode,
    error: &serde_json::Map<String, serde_json::Value>,
    method: &Method,
) -> Response<Body> {
    let text = format!("{}\n", serde_json::json!({ "error": error }));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response(status, headers, text.into_bytes(), method)
}

/// An answer without its body where HTTP has none (RFC 9110 §6.4.1); to HEAD it still says
/// how long the body would be.
fn response(status: StatusCode, mut headers: HeaderMap, body: Vec<u8>, method: &Method) -> Response<Body> {
    let never = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let body = if never {
        Body::empty()
    } else if method == Method::HEAD {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        Body::empty()
    } else {
        Body::from(body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn at<'a>(envelope: &'a Envelope, member: &str) -> Option<&'a Value> {
    envelope.member(["_txc", "web", "res", member])
}

/// An integer or numeric text in the range of final statuses, otherwise 200.
fn status(value: Option<&Value>) -> StatusCode {
    let number = match value {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_i64(),
        None => None,
    };
    number
        .filter(|n| (200..=599).contains(n))
        .and_then(|n| u16::try_from(n).ok())
        .and_then(|n| StatusCode::from_u16(n).ok())
        .unwrap_or(StatusCode::OK)
}

/// Every header is *set*: of an array the last element, of a scalar its text.
fn set_header(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), Failure> {
    let invalid =
        |what: &str| Failure::new(Fault::OutputInvalid, format!("_txc.web.res.headers.{name}: {what}"));
    let value = if let Value::Array(items) = value { items.last() } else { Some(value) };
    let text = match value {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Sealed(_)) => CREDENTIAL_TEXT.to_owned(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_json(),
        Some(Value::Array(_) | Value::Object(_)) => return Err(invalid("not a text")),
    };
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("not a header name"))?;
    if OURS.contains(&key) {
        return Ok(());
    }
    headers.insert(key, HeaderValue::from_str(&text).map_err(|_| invalid("not a header value"))?);
    Ok(())
}

fn body(envelope: &Envelope) -> Result<Vec<u8>, Failure> {
    match at(envelope, "body") {
        None | Some(Value::Null) => Ok(public(envelope)),
        Some(Value::String(text)) if text.is_empty() => Ok(public(envelope)),
        Some(Value::Sealed(_)) => Ok(CREDENTIAL_TEXT.into()),
        Some(Value::String(text)) => BASE64_STANDARD
            .decode(text.replace(['\r', '\n'], ""))
            .map_err(|_| Failure::new(Fault::OutputInvalid, "_txc.web.res.body is not base64")),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Failure::new(Fault::OutputInvalid, "_txc.web.res.body is not a text of base64"))
        }
    }
}

/// The envelope without its top-level `_` members; nested ones stay.
fn public(envelope: &Envelope) -> Vec<u8> {
    let members: Object = envelope
        .members()
        .filter(|(key, _)| !key.starts_with('_'))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Value::Object(members).to_json().into_bytes()
}

#[cfg(test)]
mod tests {
    use model::{CredentialId, Sealed, SecretName};

    use super::*;

    fn envelope(text: &str) -> Envelope {
        Envelope::new(Value::parse(text.as_bytes()).unwrap()).unwrap()
    }

    fn request() -> RequestId {
        RequestId::parse("req_1111111111111111111111").unwrap()
    }

    async fn read(response: Response<Body>) -> (u16, HeaderMap, String) {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn shaped(text: &str) -> (u16, HeaderMap, String) {
        read(shape(&envelope(text), &Method::GET).unwrap()).await
    }

    #[tokio::test]
    async fn without_a_body_the_envelope_answers_without_its_control_plane() {
        let (status, headers, body) =
            shaped(r#"{"_ts":"x","_txc":{"web":{"res":{"body":""}}},"a":{"_b":1},"_c":2}"#).await;
        assert_eq!((status, body.as_str()), (200, r#"{"a":{"_b":1}}"#));
        assert_eq!(headers["content-type"], "application/json");
    }

    #[tokio::test]
    async fn status_headers_and_body_are_the_rules() {
        let (status, headers, body) = shaped(
            r#"{"_txc":{"web":{"res":{"status":404.0,"body":"a\nGk=","headers":
               {"content-type":["a/b","text/plain"],"X-N":5,"x-none":null}}}}}"#,
        )
        .await;
        assert_eq!((status, body.as_str()), (404, "hi"));
        assert_eq!(
            (&headers["content-type"], &headers["x-n"]),
            (&HeaderValue::from_static("text/plain"), &HeaderValue::from_static("5"))
        );
        assert!(!headers.contains_key("x-none"));
    }

    #[tokio::test]
    async fn a_status_that_cannot_be_final_is_200() {
        for status in ["99", "101", "600", "\"x\"", "null", "2.5", "-1"] {
            let text = format!(r#"{{"_txc":{{"web":{{"res":{{"status":{status}}}}}}}}}"#);
            assert_eq!(shaped(&text).await.0, 200, "{status}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_said() {
        for res in [
            r#""body":"%%""#,
            r#""body":{"a":1}"#,
            r#""headers":{"a b":"x"}"#,
            r#""headers":{"a":"x\r\nset-cookie: y"}"#,
            r#""headers":{"a":{"b":1}}"#,
        ] {
            let text = format!(r#"{{"_txc":{{"web":{{"res":{{{res}}}}}}}}}"#);
            let failure = shape(&envelope(&text), &Method::GET).map(|_| ()).unwrap_err();
            assert_eq!(failure.fault, Fault::OutputInvalid, "{res}");
        }
    }

    #[tokio::test]
    async fn a_rule_cannot_frame_the_connection() {
        let (_, headers, _) = shaped(
            r#"{"_txc":{"web":{"res":{"headers":{"Content-Length":"3","transfer-encoding":"chunked","Connection":"x"}}}}}"#,
        )
        .await;
        assert_eq!(headers.len(), 1, "{headers:?}");
    }

    #[tokio::test]
    async fn no_body_where_http_has_none() {
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
            let text = format!(r#"{{"_txc":{{"web":{{"res":{{"status":{status},"body":"aGk="}}}}}}}}"#);
            let (got, headers, body) = read(shape(&envelope(&text), &method).unwrap()).await;
            assert_eq!((got, body.as_str()), (status, ""));
            let length = headers.get("content-length").map(|v| v.to_str().unwrap().to_owned());
            assert_eq!(length, (method == Method::HEAD).then(|| "2".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_sealed_value_leaves_as_fixed_text() {
        let sealed = Value::Sealed(Sealed::credential(CredentialId::new(0)));
        for (path, want_body) in [("a", r#"{"a":"[credential]"}"#), ("_txc.web.res.body", "[credential]")] {
            let mut envelope = Envelope::default();
            envelope.set(&model::Path::parse(path).unwrap(), sealed.clone()).unwrap();
            let (_, _, body) = read(shape(&envelope, &Method::GET).unwrap()).await;
            assert_eq!(body, want_body);
        }
        let mut envelope = Envelope::default();
        envelope.set(&model::Path::parse("_txc.web.res.headers.x-a").unwrap(), sealed).unwrap();
        let (_, headers, _) = read(shape(&envelope, &Method::GET).unwrap()).await;
        assert_eq!(headers["x-a"], "[credential]");
    }

    #[tokio::test]
    async fn a_failure_tells_the_client_nothing_and_a_developer_all() {
        let failure =
            Failure::new(Fault::SecretNotFound, "slot key").about(SecretName::parse("KEY").unwrap());
        let hidden = failed(&failure, Some("shop/100/sign"), &request(), &Method::GET, Detail::Hidden);
        let (status, _, body) = read(hidden).await;
        assert_eq!(status, 500);
        assert_eq!(
            body,
            "{\"error\":{\"code\":\"secret_unavailable\",\"request_id\":\"req_1111111111111111111111\"}}\n"
        );
        let shown = failed(&failure, Some("shop/100/sign"), &request(), &Method::GET, Detail::Shown);
        let (_, _, body) = read(shown).await;
        let error = &serde_json::from_str::<serde_json::Value>(&body).unwrap()["error"];
        for (key, want) in [
            ("fault", "secret_not_found"),
            ("rule", "shop/100/sign"),
            ("secret", "KEY"),
            ("detail", "slot key"),
        ] {
            assert_eq!(error[key], want, "{key}");
        }
    }

    #[test]
    fn the_request_id_is_ours() {
        let text = r#"{"_txc":{"web":{"res":{"headers":{"X-Request-ID":"theirs"}}}}}"#;
        let mut response = shape(&envelope(text), &Method::GET).unwrap();
        stamp(&mut response, &request());
        assert_eq!(response.headers()["x-request-id"], request().as_str());
    }
}
