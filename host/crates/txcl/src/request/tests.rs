//! Mistakes in the parameters of a request are found before it is ever sent.

use crate::{AnyOps, Color, Mode, RuleFile};

fn said(with: &str) -> String {
    let text = format!("EXEC \"https://api.example.com/\"\nWITH {with}\n");
    let file = RuleFile { path: "t.txcl", name: "t", text: &text };
    crate::check(&file, Mode::Strict, &AnyOps).1.render(Color::Plain)
}

#[track_caller]
fn refused(with: &str, why: &str) {
    let said = said(with);
    assert!(said.contains(why), "{with}: {said}");
}

#[test]
fn what_is_right_is_taken() {
    for with in [
        "headers.accept = \"text/plain\", headers.x-version = 7, query.q = @web.req.url.query.q, query.n = 1",
        "method = \"GET\", retries = 3",
        "method = \"put\", retries = 5, timeout = \"1m30s\"",
        "retries = 2, idempotency_key = &uuid()",
        "retries = 0",
        "method = .method, retries = 2",
        "credential = \"access_token\"",
        "credential = \"t\", credential_hosts = [\"a.example\", \"*.b.example:8443\"]",
        "credential = [\"access_token\", \"refresh.token\"], into = \"oauth\"",
        "query.tags = [\"a\", \"b\"]",
    ] {
        assert_eq!(said(with), "", "{with}");
    }
}

/// H5 and H6 of the weaknesses: there a constant header had to be stored as a secret, and of
/// two spellings one won by chance.
#[test]
fn headers_have_the_names_that_a_rule_may_give_once() {
    refused("headers.host = \"x\"", "may not set the header host");
    refused("headers.Transfer-Encoding = \"chunked\"", "may not set the header");
    refused("headers = \"x\"", "a header has one name");
    refused("headers.a.b = \"x\"", "a header has one name");
    refused("headers.x-a = \"1\\r\\nX-B: 2\"", "control character");
    refused("headers.x-a = [1]", "not an array");
    refused("headers.x-a = \"1\", secrets.headers.X-A.secret = \"K\"", "gives the header x-a twice");
    refused("headers.x-a = \"1\" SET @web.req.headers.X-A = \"2\"", "gives the header x-a twice");
    refused("headers.x-a = \"1\", headers.X-A = \"2\"", "gives the header x-a twice");
    refused(
        "headers.idempotency-key = \"1\", idempotency_key = \"2\"",
        "gives the header idempotency-key twice",
    );
}

#[test]
fn an_address_that_no_request_could_go_to_is_told() {
    refused("url = \"ftp://x.example/\"", "url cannot be called: ");
    refused("url = \"/path\"", "url cannot be called: ");
    refused("url = 5", "url is a text");
    refused("method = [\"GET\"]", "method is a text");
    refused("into = 7", "into is a text");
    assert_eq!(said("url = \" https://x.example/\", method = \"GET\", into = \"a.b\""), "");
}

#[test]
fn a_query_has_names_and_texts() {
    refused("query = \"a=b\"", "a query parameter has one name");
    refused("query.a.b = 1", "a query parameter has one name");
    refused("query.a = [[1]]", "a text, or an array of texts");
}

/// H13: what is sent twice must be safe to be sent twice.
#[test]
fn only_what_may_be_sent_twice_is() {
    refused("retries = 2", "a POST request may not be sent twice");
    refused("method = \"patch\", retries = 1", "a PATCH request may not be sent twice");
    refused("method = \"GET\", retries = 6", "from 0 to 5");
    refused("method = \"GET\", retries = \"2\"", "from 0 to 5");
    refused("idempotency_key = [1]", "not an array");
}

#[test]
fn times_and_paths_are_read_at_once() {
    for bad in ["\"soon\"", "0", "-1", "true", "1.5"] {
        refused(&format!("timeout = {bad}"), "number of milliseconds");
    }
    refused("credential = 7", "path of a member");
    refused("credential_hosts = \"a.example\"", "no credential arrives here");
    refused("credential = \"t\", credential_hosts = 7", "a host, or an array of hosts");
    refused("credential = \"t\", credential_hosts = \"https://a.example\"", "without a scheme");
    refused("credential = \"\"", "path of a member");
    refused("credential = [\"a\", 1]", "path of a member");
    refused("retries.x = 1, method = \"GET\"", "retries has no parts");
}

/// H4 and H6: a secret in a URL is refused, and so are several in one place.
#[test]
fn secrets_stand_in_no_url_and_not_in_pairs() {
    refused("secrets.query.key.secret = \"K\"", "no place for a secret");
    refused("secrets.headers.a.secret = \"K\", secrets.headers.a.format = \"{} {}\"", "exactly one {}");
}
