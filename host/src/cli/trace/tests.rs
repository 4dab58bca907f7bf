//! What `txco trace` shows of a request that was written by hand.

use std::collections::BTreeMap;
use std::fs;

use super::super::testing::Played;
use super::*;

const RID: &str = "req_1111111111111111111112";

fn traced() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let request = folder.path().join("requests").join(RID);
    let write = |file: &str, text: &str| {
        let path = request.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "in.json",
        &format!(
            r#"{{"rid":"{RID}","src":"http","tenant":"default","stack":"orders","started_at":"2026-11-23T18:00:00Z","payload_bytes":12}}"#
        ),
    );
    write(
        "timeline.jsonl",
        "{\"ts\":\"x\",\"event\":\"request.start\"}\n{\"ts\":\"x\",\"event\":\"request.end\",\"status\":\"error\",\"error\":\"secret_not_found\",\"duration_ms\":12.5}\n",
    );
    write(
        "steps/0200-deliver/meta.json",
        r#"{"trace_id":"x","stack":"orders","scope":200,"name":"deliver","operation":"https://partner.example.com/orders",
               "transport":"http","started_at":"2026-11-23T18:00:00.2Z","finished_at":"x","duration_ms":0.25,"status":"error",
               "input_bytes":10,"output_bytes":0,"secrets":[{"slot":"headers.authorization","name":"API_KEY","version":null,"mode":"splice","destination":"https://partner.example.com"}],
               "notes":["a\u001b[2Jb"],"log":[],"error":{"code":"secret_not_found","message":"no such secret","secret":"API_KEY"}}"#,
    );
    write(
        "steps/0100-sign/meta.json",
        r#"{"trace_id":"x","stack":"orders","scope":100,"name":"sign","operation":"txco://hmac-sign","transport":"txco",
               "started_at":"2026-11-23T18:00:00.1Z","finished_at":"x","duration_ms":1.5,"status":"ok","input_bytes":412,"output_bytes":96,
               "secrets":[{"slot":"key","name":"WEBHOOK_SECRET","version":3,"mode":"reveal","destination":"hmac-sign"}],
               "notes":[],"log":["hello"],"error":null}"#,
    );
    fs::create_dir(request.join("steps/0300-being-written")).unwrap();
    folder
}

fn shown(folder: &Path, request: Option<&str>, json: bool) -> Result<String, Complaint> {
    asked(folder, &TraceArgs { request: request.map(str::to_owned), json, ..TraceArgs::default() })
}

fn asked(folder: &Path, args: &TraceArgs) -> Result<String, Complaint> {
    let args = TraceArgs { trace_dir: Some(folder.to_owned()), ..args.clone() };
    let mut played = Played::piped(b"");
    answer(&args, &mut played.console(), Path::new("/"))?;
    Ok(played.out())
}

#[test]
fn a_request_shows_its_steps_and_what_secrets_they_were_given() {
    let folder = traced();
    let want = "\
req_1111111111111111111112  default/orders  secret_not_found  12 ms  2026-11-23T18:00:00Z

STEP                OPERATION                           STATUS  DUR      IN→OUT
orders/100/sign     txco://hmac-sign                    ok      1.50 ms  412→96
  secrets.key  WEBHOOK_SECRET v3  reveal → hmac-sign
  log: hello
orders/200/deliver  https://partner.example.com/orders  error   0.25 ms  10→0
  secrets.headers.authorization  API_KEY (not had)  splice → https://partner.example.com
  secret_not_found: no such secret (secret API_KEY)
  note: a\\u{1b}[2Jb
";
    assert_eq!(shown(folder.path(), Some("last"), false).unwrap(), want);
    assert_eq!(shown(folder.path(), Some(RID), false).unwrap(), want);
}

#[test]
fn recent_requests_are_listed() {
    let folder = traced();
    let text = shown(folder.path(), None, false).unwrap();
    assert!(
        text.starts_with("REQUEST  ") && text.contains(RID) && text.contains("secret_not_found"),
        "{text}"
    );
}

#[test]
fn json_is_for_machines() {
    let folder = traced();
    let one: serde_json::Value =
        serde_json::from_str(&shown(folder.path(), Some("last"), true).unwrap()).unwrap();
    assert_eq!(one["steps"][0]["secrets"][0]["name"], "WEBHOOK_SECRET");
    let many: serde_json::Value = serde_json::from_str(&shown(folder.path(), None, true).unwrap()).unwrap();
    assert_eq!(many["requests"][0]["request"]["rid"], RID);
}

#[test]
fn what_is_not_there_is_said() {
    let folder = traced();
    let missing = shown(folder.path(), Some("req_1111111111111111111113"), false).unwrap_err();
    assert_eq!(missing.code, 1);
    assert!(missing.message.contains("req_1111111111111111111113 is not traced in"), "{missing:?}");
    for text in ["../../etc", "req_x", "LAST"] {
        let error = shown(folder.path(), Some(text), false).unwrap_err();
        assert_eq!(error.code, 2, "{error:?}");
    }
    let empty = tempfile::tempdir().unwrap();
    for request in [None, Some("last")] {
        let error = shown(empty.path(), request, false).unwrap_err();
        assert!(error.message.contains("no request is traced in"), "{error:?}");
    }
}

#[test]
fn the_folder_is_found() {
    let workspace = tempfile::tempdir().unwrap();
    let inside = workspace.path().join("OPS/a");
    let args = TraceArgs::default();
    fs::create_dir_all(&inside).unwrap();
    assert_eq!(folder(&args, &BTreeMap::<&str, &str>::new(), &inside), Path::new("./data/trace"));
    fs::create_dir_all(workspace.path().join(".txco/dev/trace")).unwrap();
    assert_eq!(
        folder(&args, &BTreeMap::<&str, &str>::new(), &inside),
        workspace.path().join(".txco/dev/trace")
    );
    let env = BTreeMap::from([("TXCO_TRACE_DIR", "/t")]);
    assert_eq!(folder(&args, &env, &inside), Path::new("/t"));
}

fn timeline(folder: &tempfile::TempDir, events: &[&str]) {
    let path = folder.path().join("requests").join(RID).join("timeline.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{}\n{text}", events.join("\n"))).unwrap();
}

#[test]
fn it_is_told_in_words_why_rules_fired() {
    let folder = traced();
    timeline(
        &folder,
        &[
            r#"{"event":"stage.rules","stack":"orders","scope":100,"rules":[{"name":"sign","fired":true,"tests":[]},
                {"name":"big","fired":false,"tests":[{"line":2,"test":".total > 100","held":false,"found":"7"}]},
                {"name":"peek","fired":false,"tests":[{"line":1,"test":".token == \"x\"","held":null}]},
                {"name":"other","fired":false,"because":"sign has PRIORITY 5"}]}"#
                .replace('\n', " ")
                .as_str(),
            r#"{"event":"stage.jump","stack":"orders","scope":100,"to":"orders","from":200}"#,
            r#"{"event":"stage.rules","stack":"orders","scope":200,"rules":[{"name":"deliver","fired":true,"tests":[{"line":1,"test":".a != null","held":true}]}]}"#,
            r#"{"event":"request.halt","rule":"orders/200/deliver","error":"secret_not_found"}"#,
            r#"{"event":"stages.unreached","stages":[{"stack":"orders","scope":150,"rules":["a","b"]},{"stack":"orders","scope":100,"rules":["sign"]}]}"#,
        ],
    );
    let explain = TraceArgs { explain: true, ..TraceArgs::default() };
    let want = "\
req_1111111111111111111112  default/orders  secret_not_found  12 ms

orders/100
  sign  fired: it has no condition
    ran txco://hmac-sign in 1.50 ms
  big  did not fire: its condition did not hold
    line 2: .total > 100 did not hold: found 7
  peek  did not fire: its condition looked into a credential
    line 1: .token == \"x\" may not be asked: a credential can only be compared with null
  other  did not fire: sign has PRIORITY 5

orders/100 sent the request to orders/200 (@goto)

orders/200
  deliver  fired: its condition held
    line 1: .a != null held
    failed: secret_not_found: no such secret

the request ended at orders/200/deliver: secret_not_found

never reached
  orders/150  a, b
";
    assert_eq!(asked(folder.path(), &explain).unwrap(), want);
    let json = asked(folder.path(), &TraceArgs { json: true, ..explain }).unwrap();
    let stages: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(stages[0]["rules"][1]["tests"][0]["found"], "7");
}

#[test]
fn a_step_shows_its_bodies() {
    let folder = traced();
    let step = folder.path().join("requests").join(RID).join("steps/0100-sign");
    fs::write(step.join("in.json"), r#"{"a":1}"#).unwrap();
    let asked = |number| asked(folder.path(), &TraceArgs { step: Some(number), ..TraceArgs::default() });
    let text = asked(1).unwrap();
    assert!(text.contains("\"a\": 1") && text.contains("out not kept"), "{text}");
    for number in [0, 3] {
        let error = asked(number).unwrap_err();
        assert_eq!((error.code, error.message.contains("has 2")), (2, true), "{error:?}");
    }
}

#[test]
fn traces_are_searched() {
    let folder = traced();
    let grep =
        |text: &str| asked(folder.path(), &TraceArgs { grep: Some(text.to_owned()), ..TraceArgs::default() });
    assert!(grep("webhook_secret").unwrap().contains(RID));
    assert!(grep("not in it").unwrap_err().message.contains("holds \"not in it\""));
}
