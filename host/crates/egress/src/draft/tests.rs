//! What a draft refuses before anything is opened, and what it prints.

use model::{CredentialId, Fault, FormatTemplate, Sealed, SecretName};

use super::*;

fn secret(slot: &str) -> SecretRef {
    SecretRef {
        slot: Slot::new(Path::parse(slot).unwrap()).unwrap(),
        name: SecretName::parse("KEY").unwrap(),
        format: Some(FormatTemplate::parse("Bearer {}").unwrap()),
    }
}

fn sealed() -> Value {
    Value::Sealed(Sealed::credential(CredentialId::new(0)))
}

fn fault<T>(result: Result<T, Error>) -> Fault {
    result.err().map(|e| e.failure().fault).unwrap()
}

#[test]
fn urls_without_credentials_only() {
    assert_eq!(fault(Draft::new("https://u:p@h/", "GET")), Fault::UpstreamUrlInvalid);
    assert_eq!(fault(Draft::new("ftp://h/", "GET")), Fault::UpstreamUrlInvalid);
    let get = Value::from("GET");
    assert_eq!(fault(Draft::from_values(&sealed(), &get)), Fault::CredentialNotAllowedHere);
    assert_eq!(
        fault(Draft::from_values(&Value::from("https://h"), &sealed())),
        Fault::CredentialNotAllowedHere
    );
    for method in ["CONNECT", "TRACE", "G T", "", "GET\r\nX: y"] {
        assert_eq!(fault(Draft::new("https://h/", method)), Fault::UpstreamRequestInvalid, "{method:?}");
    }
}

#[test]
fn headers_of_the_connection_are_not_the_rules() {
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "CONNECTION",
        "te",
        "Upgrade",
        "Proxy-Authorization",
        "Accept-Encoding",
        "Expect",
        "Keep-Alive",
        "Trailer",
        "a b",
        "a\r\nb",
        "",
        "ü",
    ] {
        let draft = Draft::new("https://h/", "POST").unwrap();
        let set = draft.clone().headers(vec![(name.to_owned(), Value::from("x"))]);
        assert_eq!(fault(set), Fault::UpstreamRequestInvalid, "{name}");
        if !name.is_empty() {
            let slot = format!("headers.{name}");
            assert_eq!(fault(draft.secrets(&[secret(&slot)])), Fault::SecretDeclarationInvalid, "{name}");
        }
    }
}

#[test]
fn a_header_is_one_line_and_set_once() {
    let draft = || Draft::new("https://h/", "POST").unwrap();
    for value in [Value::from("a\r\nb"), Value::from("a\0"), Value::object(), Value::Array(Vec::new())] {
        let set = draft().headers(vec![("X-A".to_owned(), value)]);
        assert_eq!(fault(set), Fault::UpstreamRequestInvalid);
    }
    let twice = vec![("x-a".to_owned(), Value::from("1")), ("X-A".to_owned(), Value::from("2"))];
    assert_eq!(fault(draft().headers(twice)), Fault::UpstreamRequestInvalid);
    let once = draft().headers(vec![("X-Api-Key".to_owned(), Value::from(7_i64))]).unwrap();
    assert_eq!(fault(once.secrets(&[secret("headers.x-api-key")])), Fault::UpstreamRequestInvalid);
}

/// Weakness H4: a body secret of a request without a body is refused.
#[test]
fn secrets_have_two_kinds_of_places() {
    let draft = |method| Draft::new("https://h/", method).unwrap();
    for slot in ["query.key", "headers", "body", "key"] {
        assert_eq!(fault(draft("POST").secrets(&[secret(slot)])), Fault::SecretDeclarationInvalid, "{slot}");
    }
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        let set = draft(method).secrets(&[secret("body.key")]);
        assert_eq!(fault(set), Fault::SecretDeclarationInvalid, "{method}");
    }
    for body in [DraftBody::Raw(b"x".to_vec()), DraftBody::Json(Value::from("x"))] {
        let set = draft("POST").body(body).secrets(&[secret("body.key")]);
        assert_eq!(fault(set), Fault::SecretDeclarationInvalid);
    }
    assert!(draft("POST").secrets(&[secret("body.a.b"), secret("headers.x-api-key")]).is_ok());
}

#[test]
fn credentials_stay_where_the_rule_put_them() {
    let body: Value = [
        ("mine".to_owned(), sealed()),
        ("theirs".to_owned(), sealed()),
        ("list".to_owned(), Value::Array(vec![Value::from(1_i64), sealed()])),
        ("deep".to_owned(), [("a".to_owned(), sealed())].into_iter().collect()),
    ]
    .into_iter()
    .collect();
    let own = ["mine", "deep"].map(|p| Path::parse(p).unwrap()).to_vec();
    let mut draft = Draft::new("https://h/", "POST").unwrap().body(DraftBody::Json(body)).own(own);
    let dropped: Vec<String> = draft.drop_foreign_credentials().iter().map(ToString::to_string).collect();
    assert_eq!(dropped, ["theirs", "list.1"]);
    let kept = r#"{"mine":"[credential]","list":[1,null],"deep":{"a":"[credential]"}}"#;
    assert!(matches!(&draft.body, DraftBody::Json(body) if body.to_json() == kept));
}

#[test]
fn own_paths_follow_the_body() {
    let own = ["a.b.c", "x", "a"].map(|p| Path::parse(p).unwrap());
    let draft = Draft::new("https://h/", "POST").unwrap().own_below(&own, &Path::parse("a.b").unwrap());
    let own: Vec<String> = draft.own.iter().map(ToString::to_string).collect();
    assert_eq!(own, ["c", ""]);
}

#[test]
fn a_draft_prints_without_values() {
    let draft = Draft::new("https://h/p?q=1#f", "POST")
        .unwrap()
        .headers(vec![("X-Basic".to_owned(), sealed())])
        .unwrap()
        .body(DraftBody::Json([("a".to_owned(), sealed())].into_iter().collect()))
        .secrets(&[secret("headers.authorization"), secret("body.key")])
        .unwrap();
    assert_eq!(
        draft.to_string(),
        "POST https://h/p?q=1\nx-basic: [credential]\nauthorization: Bearer [secret KEY]\n\
         (body.key: Bearer [secret KEY])\n\n{\"a\":\"[credential]\"}"
    );
}
