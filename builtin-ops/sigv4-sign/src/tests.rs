//! The op natively: the suite of AWS, and every line it may fail with.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use txco_op::prelude::*;

use crate::canonical::{PathStyle, Request, Scope};
use crate::encode::{escaped, unescaped};
use crate::time::Stamp;
use crate::{sign, signed};

/// 2015-08-30T12:36:00Z, the moment of the suite.
const NOW: u64 = 1_440_938_160_000;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The files of the suite, by folder and name.
fn suite() -> BTreeMap<String, BTreeMap<String, String>> {
    let suite: Json = serde_json::from_str(include_str!("../../../tests/vectors/sigv4/suite.json")).unwrap();
    let mut folders: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (path, text) in suite["files"].as_object().unwrap() {
        let (folder, file) = path.split_once('/').unwrap();
        folders
            .entry(folder.to_owned())
            .or_default()
            .insert(file.to_owned(), text.as_str().unwrap().to_owned());
    }
    folders
}

/// A request as the suite writes it: `METHOD target HTTP/1.1`, headers, the body.
struct Written {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn written(text: &str) -> Written {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let (method, rest) = first.split_once(' ').unwrap();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        match line.strip_prefix([' ', '\t']) {
            // A line that continues the one before.
            Some(more) => headers.last_mut().unwrap().1.extend(["\n", more]),
            None => {
                let (name, value) = line.split_once(':').unwrap();
                headers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
        }
    }
    let [method, path, query, body] = [method, path, query, body].map(str::to_owned);
    Written { method, path, query, headers, body }
}

fn key() -> Key {
    FakeHost::new().secret("key", SECRET).use_only("key").call().key("key", Encoding::Declared).unwrap()
}

#[test]
fn the_suite_of_aws_agrees() {
    let mut checked = 0;
    for (folder, files) in suite() {
        // Two folders without a context are tried below.
        let Some(context) = files.get("context.json") else { continue };
        let context: Json = serde_json::from_str(context).unwrap();
        let of = |field: &str| context[field].as_str().unwrap();
        let of_credentials = |field: &str| context["credentials"][field].as_str();
        assert_eq!(
            (of("timestamp"), of_credentials("secret_access_key")),
            ("2015-08-30T12:36:00Z", Some(SECRET))
        );
        let asked = written(&files["request.txt"]);
        let style = if context["normalize"] == true { PathStyle::Normalized } else { PathStyle::Kept };
        // The suite means the bare path; here alone it writes it with an escape.
        let bare = String::from_utf8(unescaped(&asked.path)).unwrap();
        let path = if folder == "get-space-normalized" { &bare } else { &asked.path };
        let stamp = Stamp::of(NOW / 1000);
        let scope = Scope { date: stamp.date(), region: of("region"), service: of("service") };
        let id = of_credentials("access_key_id").unwrap();
        let token = of_credentials("token").filter(|_| context["omit_session_token"] != true);
        let payload = {
            use sha2::Digest as _;
            hex(&sha2::Sha256::digest(asked.body.as_bytes()))
        };
        for place in ["header", "query"] {
            let mut request = Request {
                method: &asked.method,
                path,
                query: asked.query.clone(),
                headers: asked.headers.clone(),
                payload: payload.clone(),
                style,
            };
            if place == "header" && context["sign_body"] == true {
                request.headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
            }
            if place == "header" {
                request.headers.push(("x-amz-date".to_owned(), stamp.text().to_owned()));
                request
                    .headers
                    .extend(token.map(|token| ("x-amz-security-token".to_owned(), token.to_owned())));
            } else {
                if let Some(token) = token {
                    // The op makes no such URL; the suite does.
                    request.query = format!("X-Amz-Security-Token={}", escaped(token.as_bytes(), b""));
                }
                request.presign(id, &scope, &stamp, 3600);
            }
            let file = |name: &str| files[&format!("{place}-{name}.txt")].as_str();
            assert_eq!(request.canonical(), file("canonical-request"), "{folder}, {place}");
            let to_sign = request.to_sign(&stamp, &scope);
            assert_eq!(to_sign, file("string-to-sign"), "{folder}, {place}");
            let signature = hex(&signed(key(), &scope, &to_sign).unwrap());
            assert_eq!(signature, file("signature"), "{folder}, {place}");
            if place == "header" {
                let authorization = written(file("signed-request")).headers;
                let authorization =
                    &authorization.iter().find(|(name, _)| name == "authorization").unwrap().1;
                assert_eq!(&request.authorization(id, &scope, &signature), authorization.trim(), "{folder}");
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 2 * 38);
}

/// The folders about paths that are escaped already.
#[test]
fn what_is_escaped_is_escaped_once_more() {
    let suite = suite();
    for (folder, region, service) in
        [("double-encode-path", "us-east-1", "execute-api"), ("double-url-encode", "us-east-2", "lambda")]
    {
        let files = &suite[folder];
        let asked = written(&files["request.txt"]);
        let stamp = Stamp::of(1_620_747_645);
        let mut headers: Vec<_> = asked.headers.into_iter().filter(|(name, _)| name == "host").collect();
        headers.push(("x-amz-date".to_owned(), stamp.text().to_owned()));
        let payload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned();
        let (method, path, query) = (asked.method.as_str(), asked.path.as_str(), asked.query);
        let request = Request { method, path, query, headers, payload, style: PathStyle::Normalized };
        assert_eq!(request.canonical(), files["header-canonical-request.txt"], "{folder}");
        let scope = Scope { date: stamp.date(), region, service };
        if let Some(expected) = files.get("header-string-to-sign.txt") {
            assert_eq!(request.to_sign(&stamp, &scope), expected.trim_end(), "{folder}");
        }
    }
}

fn host() -> FakeHost {
    let host = FakeHost::new().secret("key", SECRET).param("access_key_id", "AKIDEXAMPLE").now_millis(NOW);
    let host = host.param("region", "us-east-1").param("service", "service");
    host.param("url", "https://example.amazonaws.com/")
}

fn fields(host: FakeHost) -> Vec<(String, Class, String)> {
    let fields = host.run(sign).unwrap().into_iter();
    fields.map(|field| (field.path, field.class, field.value.into_text())).collect()
}

#[test]
fn the_op_makes_the_headers_of_the_suite() {
    let suite = suite();
    let signature = |folder: &str, place: &str| suite[folder][&format!("{place}-signature.txt")].clone();
    let authorization = |headers: &str, signature: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={headers}, Signature={signature}"
        )
    };
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let made = fields(host().use_only("key").param("method", "get").param("output_path", "aws"));
    let expected = [
        ("aws.authorization", authorization("host;x-amz-date", &signature("get-vanilla", "header"))),
        ("aws.date", "20150830T123600Z".to_owned()),
        ("aws.content_sha256", empty.to_owned()),
    ];
    assert_eq!(made, expected.map(|(path, text)| (path.to_owned(), Class::Digest, text)));
    // A body and a header of the rule's own.
    let form = host()
        .body("Param1=value1")
        .param("headers", Value::json(r#"{"Content-Type":"application/x-www-form-urlencoded"}"#));
    let [first, _, hash] = fields(form).try_into().unwrap();
    assert_eq!(
        hash.2,
        hex(&{
            use sha2::Digest as _;
            sha2::Sha256::digest(b"Param1=value1")
        })
    );
    assert!(first.2.contains("SignedHeaders=content-type;host;x-amz-date, "), "{}", first.2);
    let query = host()
        .param("method", "GET")
        .param("url", "https://example.amazonaws.com/?Param2=value2&Param1=value1");
    let first = fields(query).remove(0);
    assert_eq!(
        first.2,
        authorization("host;x-amz-date", &signature("get-vanilla-query-order-key-case", "header"))
    );
}

#[test]
fn the_op_makes_the_url_of_the_suite() {
    let signature = &suite()["get-vanilla"]["query-signature.txt"];
    let [url] =
        fields(host().param("method", "GET").param("presign", Value::json("3600"))).try_into().unwrap();
    let expected = format!(
        "https://example.amazonaws.com/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830\
         %2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=\
         host&X-Amz-Signature={signature}"
    );
    assert_eq!(url, ("@computed.aws.url".to_owned(), Class::Digest, expected));
}

#[test]
fn a_session_token_is_signed_and_stays_a_credential() {
    let suite = suite();
    let files = &suite["get-vanilla-with-session-token"];
    let context: Json = serde_json::from_str(&files["context.json"]).unwrap();
    let token = context["credentials"]["token"].as_str().unwrap();
    let host = host().param("method", "GET").secret("session_token", token);
    if cfg!(feature = "use-keys") {
        let words =
            "sigv4-sign: a session token is signed as it is: its secret must be one that may be revealed";
        assert_eq!(host.run(sign).unwrap_err().message(), words);
        return;
    }
    let made = fields(host);
    assert!(made[0].2.ends_with(files["header-signature.txt"].as_str()), "{}", made[0].2);
    assert_eq!(made[3], ("@computed.aws.security_token".to_owned(), Class::Credential, token.to_owned()));
}

/// Amazon S3's own example, "GET object": <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
#[test]
fn s3_signs_the_hash_of_the_body_and_every_segment() {
    let host = FakeHost::new().secret("key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let host = host.param("access_key_id", "AKIAIOSFODNN7EXAMPLE").now_millis(1_369_353_600_000);
    let host = host.param("region", "us-east-1").param("service", "s3").param("method", "GET");
    let host = host.param("url", "https://examplebucket.s3.amazonaws.com/test.txt");
    let host = host.param("headers", Value::json(r#"{"range":"bytes=0-9"}"#));
    let expected = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                    SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
                    Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    assert_eq!(fields(host)[0].2, expected);
}

#[test]
fn its_failures_are_exact() {
    let url = "url must be absolute and written as it is sent, a blank as %20";
    let headers = |json: &str| host().body("x").param("headers", Value::json(json));
    let presign = |seconds: &str| host().param("method", "GET").param("presign", Value::json(seconds));
    for (host, message) in [
        (FakeHost::new(), "missing access_key_id in WITH"),
        (host().param("region", ""), "missing region in WITH"),
        (
            FakeHost::new()
                .param("access_key_id", "a")
                .param("region", "r")
                .param("service", "s")
                .param("url", "u"),
            "missing secrets.key.secret in WITH",
        ),
        (host().param("url", "example.amazonaws.com"), url),
        (host().param("url", "https://example.amazonaws.com/?a=b+c"), url),
        (host(), "nothing to sign at input_path \"body\""),
        (headers(r#"{"X-Amz-Date":"x"}"#), "headers: x-amz-date is the op's own"),
        (headers(r#"{"a":1}"#), "headers must be an object of texts"),
        (headers(r#"{"a":"b\r\nc"}"#), "headers must be an object of texts"),
        (presign("0"), "presign must be 1 to 604800 seconds"),
        (presign("604801"), "presign must be 1 to 604800 seconds"),
    ] {
        let failure = host.run(sign).unwrap_err();
        assert_eq!(failure.message(), ["sigv4-sign: ", message].concat());
        assert_eq!(failure.code(), "sigv4-sign-err");
    }
    assert_eq!(fields(presign("604800")).len(), 1);
    if cfg!(not(feature = "use-keys")) {
        let failure = presign("60").secret("session_token", "t").run(sign).unwrap_err();
        let words =
            "sigv4-sign: a URL must not carry a session token: it would be readable to all who see it";
        assert_eq!(failure.message(), words);
    }
}
