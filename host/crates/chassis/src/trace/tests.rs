//! The files of a trace: where, with which permissions, and without what.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn envelope() -> Envelope {
    let text = r#"{"a":1,"_txc":{"web":{"req":{"headers":{"authorization":["Bearer inbound"],"X":["y"]},"cookies":{"s":["inbound"]}}}}}"#;
    Envelope::new(Value::parse(text.as_bytes()).unwrap()).unwrap()
}

fn settings(mode: TraceMode, queue: Option<usize>) -> TraceSettings {
    TraceSettings { mode, queue, body_cap: 65_536, retention: Retention::default() }
}

fn step(rule: &str) -> Step {
    Step {
        stack: model::StackName::parse("shop").unwrap(),
        scope: 7,
        rule: rule.into(),
        operation: "txco://noop".into(),
        transport: "noop",
        started: Timestamp::now(),
        elapsed: std::time::Duration::from_micros(1_500),
        secrets: Vec::new(),
        notes: Vec::new(),
        log: Vec::new(),
        failure: None,
        gone_on_after: None,
        broken_off: false,
    }
}

fn begun(trace: &Trace, request: &RequestId, envelope: &Envelope) -> Recording {
    let (tenant, stack, started) = ("default", "shop", Timestamp::now());
    trace.begin(&Start { request, tenant, stack, started, envelope, hiding: &Arc::default(), again: false })
}

fn recorded(mode: TraceMode) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let trace = Trace::open(settings(mode, None), root.path()).unwrap();
    let request = RequestId::mint().unwrap();
    let envelope = envelope();
    let recording = begun(&trace, &request, &envelope);
    recording.step(&step("a"), "EXEC \"txco://noop\"", Some(&envelope), Some(&Object::default()));
    recording.step(&step("a"), "", Some(&envelope), None);
    recording.end(&envelope, None, std::time::Duration::ZERO);
    let folder = root.path().join("requests").join(request.as_str());
    (root, folder)
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn full_traces_are_private_and_mask_what_the_client_sent_as_credentials() {
    let (_root, folder) = recorded(TraceMode::Full);
    let mut found = Vec::new();
    files(&folder, &mut found);
    assert!(found.len() >= 11, "{found:?}");
    for path in &found {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("inbound"), "{path:?}: {text}");
    }
    assert!(folder.join("steps/0007-a-2/meta.json").is_file());
    assert!(fs::read_to_string(folder.join("out.json")).unwrap().contains(r#""X":["y"]"#));
}

#[test]
fn a_summary_keeps_no_bodies() {
    let (_root, folder) = recorded(TraceMode::Summary);
    assert!(!folder.join("out.json").exists());
    assert!(!folder.join("steps/0007-a/in.json").exists());
    assert!(folder.join("steps/0007-a/meta.json").exists());
    assert!(!fs::read_to_string(folder.join("in.json")).unwrap().contains("payload\""));
}

#[test]
fn off_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let trace = Trace::open(settings(TraceMode::Off, Some(3)), &root.path().join("t")).unwrap();
    let request = RequestId::mint().unwrap();
    let envelope = envelope();
    let recording = begun(&trace, &request, &envelope);
    let mut asked = false;
    recording.event("request.start", || {
        asked = true;
        json!({})
    });
    assert!(!asked, "facts were made that nobody keeps");
    assert!(!root.path().join("t").exists());
}

#[test]
fn long_bodies_are_cut_at_a_character() {
    let text = "ä".repeat(100);
    let (cut, truncated) = cap(&text, 101);
    assert!(truncated && cut.len() == 100 && cut.chars().all(|c| c == 'ä'));
}

#[test]
fn of_every_body_as_much_is_kept_as_is_wanted() {
    let of = |body_cap: usize| {
        let root = tempfile::tempdir().unwrap();
        let settings = TraceSettings { body_cap, ..settings(TraceMode::Full, None) };
        let trace = Trace::open(settings, root.path()).unwrap();
        let request = RequestId::mint().unwrap();
        let envelope = envelope();
        let recording = begun(&trace, &request, &envelope);
        recording.step(&step("a"), "", Some(&envelope), Some(&Object::default()));
        recording.end(&envelope, None, std::time::Duration::ZERO);
        let folder = root.path().join("requests").join(request.as_str());
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let read = |file: &str| serde_json::from_str::<serde_json::Value>(&read(file)).unwrap();
        ["in.json", "steps/0007-a/meta.json", "steps/0007-a/in.json", "out.json"].map(read)
    };
    let [start, meta, input, end] = of(10);
    assert_eq!((&start["payload_truncated"], &start["payload"]), (&json!(true), &json!("{\"a\":1,\"_t")));
    assert_eq!(
        (&meta["input_truncated"], &meta["output_truncated"]),
        (&json!(true), &serde_json::Value::Null)
    );
    for cut in [input, end] {
        assert_eq!(cut, json!({ "truncated": true, "text": "{\"a\":1,\"_t" }));
    }
    let [start, meta, input, end] = of(usize::MAX);
    assert_eq!((&start["payload"]["a"], &start["payload_truncated"]), (&json!(1), &json!(false)));
    assert_eq!(
        (&meta["input_truncated"], &input["a"], &end["a"]),
        (&serde_json::Value::Null, &json!(1), &json!(1))
    );
}

#[test]
fn a_record_that_breaks_off_is_reported_once_and_the_request_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let trace = Trace::open(settings(TraceMode::Full, Some(1)), root.path()).unwrap();
    let (request, envelope) = (RequestId::mint().unwrap(), envelope());
    // Somebody else was here first.
    fs::create_dir_all(root.path().join("requests").join(request.as_str())).unwrap();
    fs::write(root.path().join("requests").join(request.as_str()).join("in.json"), "theirs").unwrap();
    let recording = begun(&trace, &request, &envelope);
    trace.flush();
    recording.end(&envelope, None, std::time::Duration::ZERO);
    trace.flush();
    let folder = root.path().join("requests").join(request.as_str());
    assert_eq!(fs::read_to_string(folder.join("in.json")).unwrap(), "theirs");
    assert!(!folder.join("timeline.jsonl").exists() && !folder.join("out.json").exists());
}
