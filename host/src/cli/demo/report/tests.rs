//! The report is a golden file, and the worst one still fits a terminal.

use super::super::search::{Kind, Sighting};
use super::*;

fn given(slot: &str, name: &str, mode: &str) -> Given {
    Given {
        slot: slot.to_owned(),
        name: name.to_owned(),
        version: Some(1),
        mode: mode.to_owned(),
        destination: String::new(),
    }
}

fn fired(rule: &str, operation: &str, millis: f64, secrets: Vec<Given>) -> Fired {
    Fired { rule: rule.to_owned(), operation: operation.to_owned(), millis, error: None, secrets }
}

fn report() -> Report {
    let received = Received {
        method: "POST".to_owned(),
        path: "/orders".to_owned(),
        headers: [
            ("authorization", "Bearer pk_\"1"),
            ("x-signature", "sha256=0f3a5b0f3a5b0f3a5b0f3a5b0f3a5b0f3a5b0f3a5b0f3a5b0f3a5b0f3a5b0f3a"),
            ("content-type", "application/json"),
            ("user-agent", "txco/0.1.0"),
            ("accept", "*/*"),
            ("accept-encoding", "identity"),
            ("host", "partner.example.com"),
            ("content-length", "108"),
        ]
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .to_vec(),
        body: r#"{"order":{"id":"ord_1042","total":4200,"currency":"EUR"},"client_secret":"cs\"2"}"#
            .to_owned(),
        verdict: Verdict { signature: true, signed_bytes: 48, api_key: true, client_secret: true },
        reply: String::new(),
    };
    let place =
        |name: &str| Place { kind: Kind::File, name: name.to_owned(), bytes: 1, sightings: Vec::new() };
    Report {
        ok: true,
        millis: 412.0,
        event: Event {
            request: "POST / {\"type\":\"order.paid\",\"order\":{…}}".to_owned(),
            status: 202,
            answer: "{\"delivered\":true}\n".to_owned(),
            millis: 9.3,
            request_id: Some("req_1111111111111111111111".to_owned()),
        },
        rules: vec![
            fired("orders/100/sign", "txco://hmac-sign", 1.2, vec![given("key", "WEBHOOK_SECRET", "reveal")]),
            fired(
                "orders/200/deliver",
                "https://partner.example.com/orders",
                6.1,
                vec![
                    given("headers.authorization", "PARTNER_API_KEY", "splice"),
                    given("body.client_secret", "PARTNER_CLIENT_SECRET", "splice"),
                ],
            ),
            fired("orders/300/accepted", "", 0.05, Vec::new()),
        ],
        upstream: Some(Delivered::masked(
            &received,
            &[("PARTNER_API_KEY", "pk_\"1"), ("PARTNER_CLIENT_SECRET", "cs\"2")],
        )),
        leaks: 0,
        secrets: 3,
        spellings: 30,
        searched: vec![place("a"), place("b")],
        kept: None,
        next: vec![
            "target/release/txco dev examples/webhook-signing".to_owned(),
            "target/release/txco auth tenant secrets generate WEBHOOK_SECRET".to_owned(),
            "curl --json '{\"type\":\"order.preview\",\"order\":{\"id\":7}}' localhost:8080".to_owned(),
        ],
    }
}

fn fits(text: &str) {
    assert!(text.lines().count() <= 40, "{} lines\n{text}", text.lines().count());
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_report_is_the_golden_file() {
    let text = report().render(Color::No);
    assert_eq!(text, include_str!("golden.txt"), "--- got ---\n{text}");
    fits(&text);
}

#[test]
fn the_worst_report_still_fits() {
    let mut report = report();
    for place in &mut report.searched {
        place.name = "x".repeat(200);
        place.sightings = vec![Sighting { secret: "K".repeat(90), spelling: "raw" }];
    }
    if let Some(delivered) = &mut report.upstream {
        delivered.headers = (0..50).map(|n| (format!("x-{n}"), "v\u{1b}".repeat(80))).collect();
        delivered.body = "b".repeat(5_000);
    }
    report.leaks = 2;
    report.kept = Some("/tmp/x".to_owned());
    let text = report.render(Color::No);
    assert!(text.contains("cleartext found in 2 of 2 places") && text.contains("LEAK x"), "{text}");
    fits(&text);
}

#[test]
fn no_value_is_shown_and_colour_is_only_colour() {
    let text = report().render(Color::Yes);
    assert!(!text.contains("pk_\"1") && !text.contains("cs\\\"2"), "{text}");
    let plain = text.replace("\x1b[1m", "").replace("\x1b[0m", "");
    assert_eq!(plain, report().render(Color::No));
}

#[test]
fn what_failed_is_said() {
    let mut report = report();
    report.upstream = None;
    report.rules.truncate(1);
    report.rules[0].error = Some("secret_not_found".to_owned());
    let text = report.render(Color::No);
    assert!(text.contains("secret_not_found") && text.contains("received nothing"), "{text}");
}
