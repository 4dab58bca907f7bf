//! Which secrets and headers a rule declares, and which declarations are refused.

use super::{accepted, refused_for, secret_names, tolerated};

const HTTP: &str = "EXEC \"https://h/\" ";

fn http_refused(clauses: &str, words: &str) {
    refused_for(&format!("{HTTP}{clauses}"), words);
}

#[test]
fn declarations_in_the_order_of_the_text() {
    let rules = accepted(
        "EXEC \"https://h/\" WITH secrets.headers.authorization.format = \"Bearer {}\", method = \"PUT\",
         secrets.body.a.b.0.secret = \"BODY\", secrets.headers.authorization.secret = \"TOKEN\",
         secrets.headers.\"x.y\".secret = \"TOKEN\"",
    );
    assert_eq!(secret_names(&rules[0]), ["TOKEN", "BODY", "TOKEN"]);
    let slots: Vec<String> = rules[0].secrets().iter().map(|s| s.slot.to_string()).collect();
    assert_eq!(slots, ["headers.authorization", "body.a.b.0", r"headers.x\.y"]);
    assert_eq!(rules[0].secrets()[0].format.as_ref().unwrap().to_string(), "Bearer {}");
    assert!(rules[0].secrets()[1].format.is_none());
}

#[test]
fn malformed_trees_are_load_errors() {
    for (with, words) in [
        ("secrets = \"K\"", "secrets is a tree, not a value"),
        ("secrets.headers.x = \"K\"", "bare value at \"secrets.headers.x\""),
        ("secrets.secret = \"K\"", "`secret` needs a place before it"),
        ("secrets.format = \"{}\"", "`format` needs a place before it"),
        ("secrets.headers.x.secret = 5", "the name of a secret is a text"),
        ("secrets.headers.x.secret = \"\"", "invalid secret name \"\""),
        ("secrets.headers.x.secret = \"MY-KEY\"", "invalid secret name \"MY-KEY\""),
        ("secrets.headers.x.secret = .name", "the name of a secret must be a literal text"),
        ("secrets.headers.x.secret = &uuid()", "the name of a secret must be a literal text"),
        ("secrets.headers.x.format = \"{}\"", "a format without a secret at \"headers.x\""),
        ("secrets.headers.x.secret = \"K\", secrets.headers.x.format = \"Bearer\"", "exactly one {}"),
        ("secrets.headers.x.secret = \"K\", secrets.headers.x.format = \"{} {}\"", "exactly one {}"),
        ("secrets.headers.x.secret = \"K\", secrets.headers.x.format = .f", "a format must be a literal"),
        ("secrets.headers.x.secret = \"K\", secrets.headers.x.format = 5", "a format is a text"),
        ("secrets.headers.x.secret = \"K\", secrets.headers.x.format = \"{}\n\"", "control character"),
    ] {
        http_refused(&format!("WITH {with}"), words);
    }
    tolerated(
        "EXEC \"https://h/\" WITH secrets.headers.x.secret = \"K\", secrets.headers.x.note = \"n\"",
        "only the members `secret` and `format`",
    );
}

#[test]
fn a_computed_literal_name_is_a_literal() {
    let rules = accepted("EXEC \"txco://x\" WITH secrets.key.secret = &concat(\"A\", \"B\")");
    assert_eq!(secret_names(&rules[0]), ["AB"]);
}

#[test]
fn an_http_request_has_two_places_for_secrets() {
    for (with, words) in [
        ("secrets.query.k.secret = \"K\"", "no place for a secret at \"query.k\""),
        ("secrets.key.secret = \"K\"", "no place for a secret at \"key\""),
        ("secrets.headers.secret = \"K\"", "secrets.headers needs a name"),
        ("secrets.body.secret = \"K\"", "secrets.body needs a name"),
        ("secrets.headers.x.y.secret = \"K\"", "a header has one name"),
        ("secrets.headers.\"a b\".secret = \"K\"", "cannot be the name of a header"),
        ("secrets.headers.Host.secret = \"K\"", "may not set the header Host"),
        ("secrets.headers.proxy-authorization.secret = \"K\"", "may not set the header"),
    ] {
        http_refused(&format!("WITH {with}"), words);
    }
    // An op names its own slots.
    accepted("EXEC \"txco://hmac-sign\" WITH secrets.key.secret = \"K\"");
    tolerated("SET .a = 1 WITH secrets.key.secret = \"K\"", "nothing in this rule can receive a secret");
    tolerated(
        "EXEC \"shop/10\" WITH secrets.key.secret = \"K\"",
        "nothing in this rule can receive a secret",
    );
}

#[test]
fn a_body_secret_needs_a_body() {
    for method in ["GET", "head", " delete ", "OPTIONS"] {
        http_refused(&format!("WITH method = \"{method}\", secrets.body.a.secret = \"K\""), "has no body");
    }
    for method in ["POST", "put", "PATCH"] {
        accepted(&format!("{HTTP} WITH method = \"{method}\", secrets.body.a.secret = \"K\""));
    }
    accepted(&format!("{HTTP} WITH method = \"GET\", secrets.headers.a.secret = \"K\""));
}

#[test]
fn a_header_is_given_once() {
    let twice = "this rule gives the header x-a twice";
    http_refused("SET @web.req.headers.x-a = 1, @web.req.headers.X-A = 2", twice);
    http_refused("SET @web.req.headers.x-a = 1 SET @web.req.headers.x-a.0 = 2", twice);
    http_refused("SET @web.req.headers.X-A = 1 WITH secrets.headers.x-a.secret = \"K\"", twice);
    http_refused("WITH secrets.headers.x-a.secret = \"K\", secrets.headers.X-A.secret = \"L\"", twice);
    accepted(&format!("{HTTP} SET @web.req.headers.x-a = 1 WITH secrets.headers.x-b.secret = \"K\""));
}

#[test]
fn some_headers_are_not_a_rules() {
    let names = [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Upgrade",
        "Proxy-Authorization",
        "proxy-x",
    ];
    for name in names {
        http_refused(&format!("SET @web.req.headers.{name} = \"x\""), "may not set the header");
    }
    for (set, words) in [
        ("@web.req.headers = 1", "names no header"),
        ("@web.req.headers.a.b = 1", "one name and one value"),
        ("@web.req.headers.a.1 = 1", "one name and one value"),
        ("@web.req.headers.\"a b\" = 1", "cannot be the name of a header"),
        ("@web.req.headers.a = \"x\r\ny: z\"", "control character"),
        ("@web.req.headers.a = [\"x\"]", "not an array"),
    ] {
        http_refused(&format!("SET {set}"), words);
    }
    http_refused("SELECT .a SET @web.req.headers.a = \"x\"", "the request is sent by then");
    // In a rule that sends nothing the same words write its input, as ever.
    accepted("EXEC \"txco://x\" SET @web.req.headers.Host = \"x\", @web.req.headers.a.b.c = 1");
}
