//! Requests at the same time do not see each other: every answer is signed for its own body.

use std::thread;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use support::{Host, Request, send};

use crate::TXCO;

const RULE: &str = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\", output_path = \"digest\"\n";

#[test]
fn every_answer_belongs_to_its_request() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", RULE).start();
    let key = host.store("KEY");
    let address = host.web_address();
    let one = move |thread: usize| {
        (0..25).map(move |number| {
            let body = json!({ "thread": thread, "number": number }).to_string();
            let request =
                Request::new("POST", "/").header("Content-Type", "application/json").body(body.clone());
            (body, send(address, &request).expect("a reply"))
        })
    };
    let threads: Vec<_> =
        (0..8).map(|number| thread::spawn(move || one(number).collect::<Vec<_>>())).collect();
    let mut ids = std::collections::HashSet::new();
    for (body, reply) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.text().as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((reply.status, &reply.json()["digest"]), (200, &json!(expected)), "{}", reply.text());
        assert!(ids.insert(reply.header("x-request-id").unwrap().to_owned()), "an id came twice");
        host.record("web reply", &reply.raw);
    }
    assert_eq!(ids.len(), 200);
    host.finish();
}
