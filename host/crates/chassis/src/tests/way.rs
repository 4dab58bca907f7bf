//! What a request may spend, who waits for it, and what stands for an op.

use std::time::{Duration, Instant};

use model::OpName;
use tokio::sync::mpsc::channel;

use super::*;

const LOOP: (&str, &str) = ("app/10/a.txcl", "EMIT @goto = 10");

fn with(settings: Settings) -> Line {
    let mut line = Line::new(Secrets::Off);
    let egress = egress::Client::new(egress::Settings {
        policy: egress::AddressPolicy::Open,
        ..egress::Settings::default()
    });
    line.chassis = Chassis::new(Parts {
        vault: vault::LateVault::default(),
        sandbox: Sandbox::new(Limits { wall: Duration::from_secs(30), ..Limits::default() }, CodeCache::Off)
            .unwrap(),
        egress: egress.unwrap(),
        trace: Trace::open(FULL, &line.folder.path().join("trace")).unwrap(),
        settings,
    })
    .unwrap();
    line
}

fn detail(line: &Line) -> String {
    let failure = line.run("{}").failure.unwrap().failure;
    assert_eq!(failure.fault, Fault::BudgetExhausted, "{failure}");
    failure.detail
}

/// E8 of the weaknesses: what is spent is checked before it is spent, not at the next scope.
#[test]
fn fuel_ends_a_request_in_the_middle_of_a_scope() {
    let line = with(Settings { fuel: 100, ..Settings::default() });
    // 10 for the scope, 25 for each EXEC: the fourth is too much.
    let four = "EXEC \"txco://hmac-sing\"\n";
    line.rules(&[("app/10/a.txcl", four)]);
    assert_eq!(line.fault("{}").0, Fault::OpUnknown);
    let jumps = "EXEC \"app/20\" EMIT .n = 1\n".repeat(4);
    line.rules(&[("app/10/a.txcl", &jumps), ("app/20/b.txcl", "EMIT .b = 1")]);
    assert!(detail(&line).contains("110 used of 100"), "{}", detail(&line));
}

#[test]
fn a_loop_ends_by_fuel_with_its_last_steps_told() {
    let line = with(Settings {
        stage_entries: 0,
        fuel: 1_000,
        repeat_penalty: Duration::ZERO,
        ..Settings::default()
    });
    line.rules(&[LOOP]);
    let said = detail(&line);
    assert!(said.contains("--max-fuel-per-request") && said.contains("app/10 to app/10"), "{said}");
}

#[test]
fn a_loop_is_slowed_down() {
    let line =
        with(Settings { stage_entries: 6, repeat_penalty: Duration::from_millis(30), ..Settings::default() });
    line.rules(&[LOOP]);
    let began = Instant::now();
    detail(&line);
    // Of six entries the first is new, and so is the first way from there to there.
    assert!(began.elapsed() >= Duration::from_millis(4 * 30), "{:?}", began.elapsed());
}

#[test]
fn a_rule_can_lower_the_stage_entries() {
    let line = with(Settings::default());
    line.rules(&[
        ("app/10/a.txcl", "EMIT @ttl = 1"),
        ("app/20/b.txcl", "EMIT .b = 1, @ttl = 400"),
        ("app/30/c.txcl", "EMIT .c = 1"),
    ]);
    assert!(detail(&line).contains("no stage entries are left"));
}

/// An op of a tenant that spins for ever; one call at a time.
struct Spinning;

impl OpSource for Spinning {
    fn components(&self, name: &OpName) -> Result<Vec<Vec<u8>>, String> {
        let folder = File::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/guests/dist");
        Ok(vec![std::fs::read(folder.join(format!("{name}.wasm"))).unwrap()])
    }

    fn names(&self) -> Vec<OpName> {
        Vec::new()
    }
}

#[test]
fn an_op_ends_when_nobody_waits_for_it() {
    let line = with(Settings { blocking_ops: 1, ..Settings::default() });
    line.rules_with(&[("s/10/a.txcl", "EXEC \"op://spin\" WITH timeout = \"20s\"")], &Spinning);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    // Three clients that leave after a moment; the one place is free again each time.
    for _ in 0..3 {
        let run = line.chassis.run(line.request("{}"));
        assert!(
            runtime.block_on(async { tokio::time::timeout(Duration::from_millis(100), run).await }).is_err()
        );
    }
    drop(runtime);
    assert!(began.elapsed() < Duration::from_secs(5), "the ops were not interrupted: {:?}", began.elapsed());
    let mut trace = String::new();
    read_all(&line.folder.path().join("trace"), &mut trace);
    for told in
        ["\"event\":\"request.end\",\"status\":\"cancelled\"", "\"name\":\"a\",\"status\":\"cancelled\""]
    {
        assert_eq!(trace.matches(told).count(), 3, "{told}: {trace}");
    }
    let counted = line.chassis.counted();
    assert_eq!(counted.requests.values().sum::<u64>(), 3, "{counted:?}");
}

/// H12 of the weaknesses: one time, and it holds for ops as well.
#[test]
fn the_time_of_a_rule_ends_its_op() {
    // Without a time of its own it would have a minute.
    let line = with(Settings { op_timeout: Duration::from_secs(60), ..Settings::default() });
    line.rules_with(&[("s/10/a.txcl", "EXEC \"op://spin\" WITH timeout = 50")], &Spinning);
    let began = Instant::now();
    assert_eq!(line.fault("{}").0, Fault::OpOverTime);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // There, more than the most is an op that does not run, and nobody is told.
    for exec in ["op://spin", "http://127.0.0.1:1/"] {
        let rule = format!("EXEC \"{exec}\" WITH timeout = 600001");
        line.rules_with(&[("s/10/a.txcl", &rule)], &Spinning);
        assert_eq!(line.fault("{}").0, Fault::RuleFailed, "{exec}");
    }
}

fn mocked(line: &Line, rule: &str, mock: &str) {
    let workspace = line.folder.path().join("ws");
    let scope = workspace.join("OPS/app/10");
    std::fs::create_dir_all(&scope).unwrap();
    std::fs::write(scope.join("a.txcl"), rule).unwrap();
    std::fs::write(scope.join("mock-response.json"), mock).unwrap();
    let rules = RuleSet::load(&workspace, None, txcl::Mode::Strict);
    let rules = rules.unwrap_or_else(|e| panic!("{}", e.render(txcl::Color::Plain)));
    line.install(rules, &());
}

/// C10 of the weaknesses: what is mocked opens no secret and sends nothing.
#[test]
fn a_mock_stands_for_an_op_and_nothing_is_materialised() {
    let line = Line::new(Secrets::On);
    let rule = "EXEC \"http://127.0.0.1:1/\" WITH secrets.headers.x-key.secret = \"NOT_THERE\", into = \"vendor\"\n\
                SET @mocks = \"app/*/a\"";
    mocked(&line, rule, r#"{"id":7,"_txc":{"tenant":"evil","web":{"res":{"status":201}}}}"#);
    let outcome = line.run("{}");
    assert_eq!(text(&outcome, "vendor.id"), "7");
    assert_eq!(text(&outcome, "@upstream.a.status"), "200");
    assert_eq!(at(&outcome, "@tenant"), None);
    assert_eq!((outcome.steps[0].transport, outcome.steps[0].secrets.len()), ("mock", 0));
    assert!(line.chassis.counted().secrets.is_empty());
}

#[test]
fn without_being_chosen_a_mock_is_not_used() {
    let line = Line::new(Secrets::Off);
    mocked(&line, "EXEC \"txco://hmac-sing\"", "{\"a\":1}");
    assert_eq!(line.fault("{}").0, Fault::OpUnknown);
    assert_eq!(line.fault(r#"{"_txc":{"mocks":["*","!app/*"]}}"#).0, Fault::OpUnknown);
    assert_eq!(text(&line.run(r#"{"_txc":{"mocks":"*"}}"#), "a"), "1");
    mocked(&line, "SELECT .n EXEC \"txco://hmac-sing\"", "{\"a\":1}");
    assert_eq!(text(&line.run(r#"{"_txc":{"mocks":"*"}}"#), "a"), "1", "SELECT hides no pattern");
    mocked(&line, "EXEC \"txco://mock\" EMIT .b = .a", "{\"a\":2}");
    assert_eq!(text(&line.run("{}"), "b"), "2");
}

#[test]
fn mocks_can_be_off() {
    let line = with(Settings { mocks: Mocks::Deny, ..Settings::default() });
    mocked(&line, "EXEC \"txco://hmac-sing\" SET @mocks = \"*\"", "{\"a\":1}");
    assert_eq!(line.fault("{}").0, Fault::OpUnknown);
    mocked(&line, "EXEC \"txco://mock\"", "{\"a\":1}");
    assert_eq!(line.fault("{}").0, Fault::OpUnsupported);
}

#[test]
fn a_mock_is_an_object() {
    let line = Line::new(Secrets::Off);
    for bad in ["[1]", "null", "{", ""] {
        let workspace = line.folder.path().join("ws");
        mocked(&line, "EXEC \"txco://mock\"", "{}");
        std::fs::write(workspace.join("OPS/app/10/mock-response.json"), bad).unwrap();
        let errors = RuleSet::load(&workspace, None, txcl::Mode::Strict).unwrap_err();
        let said = errors.render(txcl::Color::Plain);
        assert!(said.starts_with("OPS/app/10/mock-response.json: is "), "{said}");
    }
}

/// The pieces and the end of a request whose answer is streamed.
fn streamed(line: &Line) -> (Vec<String>, Outcome) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (out, mut pieces) = channel::<Piece>(1);
        let read = async {
            let mut all = Vec::new();
            while let Some(piece) = pieces.recv().await {
                let Piece::Part(envelope) = piece else { panic!("no rule takes long") };
                let path = Path::parse("_txc.web.res.body").unwrap();
                all.push(envelope.get(&path).unwrap().as_str().unwrap().to_owned());
            }
            all
        };
        let (outcome, all) = tokio::join!(line.chassis.run_streaming(line.request("{}"), out), read);
        (all, outcome)
    })
}

#[test]
fn a_body_goes_out_while_there_is_more_to_come() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        ("app/10/a.txcl", "EMIT @web.res.body = \"b25l\""),
        ("app/20/b.txcl", "WHEN .never == 1 EMIT @web.res.body = \"bm8=\""),
        ("app/30/c.txcl", "EMIT @web.res.body = \"dHdv\""),
        ("app/40/d.txcl", "EMIT .seen = @web.res.body"),
        ("app/50/e.txcl", "EMIT @web.res.body = \"dGhyZWU=\""),
        ("app/60/f.txcl", "WHEN .never == 1 EMIT .a = 1"),
    ]);
    let (pieces, outcome) = streamed(&line);
    assert_eq!(pieces, ["b25l", "dHdv"]);
    assert!(outcome.begun && outcome.failure.is_none());
    assert_eq!(text(&outcome, "@web.res.body"), "\"dGhyZWU=\"", "nothing applies behind it");
    assert_eq!(text(&outcome, "seen"), "null", "what was sent is gone");
}

#[test]
fn one_body_at_the_end_is_no_stream() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        ("app/10/a.txcl", "EMIT .a = 1"),
        ("app/20/b.txcl", "EMIT @web.res.body = \"b25l\""),
        ("app/30/c.txcl", "WHEN .never == 1 EMIT .a = 2"),
    ]);
    let (pieces, outcome) = streamed(&line);
    assert!(pieces.is_empty() && !outcome.begun);
    line.rules(&[
        ("app/10/a.txcl", "EMIT @web.res.body = \"b25l\", @web.res.status = 204"),
        ("app/20/b.txcl", "EMIT .b = 1"),
    ]);
    assert!(streamed(&line).0.is_empty(), "204 has no body");
}

/// The future of a request is allocated, moved and wiped for each of them: 111 KiB of it, of which
/// nearly all was room for copies of itself, cost as much as the rules did.
#[tokio::test]
async fn a_request_is_small_while_it_runs() {
    let line = Line::new(Secrets::Off);
    line.rules(&[("app/10/a.txcl", "EMIT .a = 1")]);
    let request = line.request("{}");
    let (pieces, _) = channel(1);
    let run = line.chassis.run_streaming(request, pieces);
    assert!(size_of_val(&run) <= 8 << 10, "{} bytes", size_of_val(&run));
    assert!(run.await.failure.is_none());
}
