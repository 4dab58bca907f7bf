//! Runs that wait: what is sealed, who may end and ask for them, and that each goes on once.

use jiff::{SignedDuration, Timestamp};
use model::{Id, RequestId, StackName, TenantId};
use txco_vault::{
    Claimed, Ending, First, Joining, KeyRing, Progress, Run, RunView, SchemeOne, Step, Token, Unopened,
    Vault, Wait,
};

use crate::house::{House, key, tenant};

const HELD: &[u8] = b"{\"envelope\":{\"card\":\"4242 4242\"}}";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn stack(name: &str) -> StackName {
    StackName::parse(name).unwrap()
}

fn wait(lasts: SignedDuration) -> Wait {
    Wait::mint(Timestamp::now() + lasts).ok().unwrap()
}

fn step(waits: &[Wait]) -> Step<'_> {
    Step { rules: [7; 32], content: "the rules", held: HELD.to_vec(), waits, due: &[], later: &[] }
}

fn begun(vault: &Vault, waits: &[Wait]) -> Token {
    let (tenant, stack, request) = (tenant(), stack("web"), RequestId::mint().unwrap());
    let id = Run::name().ok().unwrap();
    let run = Run { id: &id, tenant: &tenant, stack: &stack, request: &request, most: None };
    let poll = vault.begin_run(&run, "life-1", First::Waits(step(waits))).ok().unwrap().unwrap();
    assert!(!vault.release_run(&id, "life-2").ok().unwrap());
    assert!(!vault.release_run(&id, "life-1").ok().unwrap(), "it waits");
    poll
}

fn ended(vault: &Vault, wait: &Wait, token: &str) -> Option<bool> {
    vault.end_wait(wait.id.as_str(), token, Ending::Completed, b"{\"n\":1}".to_vec()).ok().unwrap()
}

fn claimed(vault: &Vault, owner: &str) -> Claimed {
    vault.claim_run(owner, &tenant()).ok().unwrap().unwrap()
}

fn none_ready(vault: &Vault) -> bool {
    assert!(vault.ready_tenant(&[tenant()]).ok().unwrap().is_none());
    let ready = vault.ready_tenant(&[]).ok().unwrap();
    assert!(
        ready.is_none()
            || vault.claim_run("life-1", &TenantId::parse("tnt_other").unwrap()).ok().unwrap().is_none()
    );
    ready.is_none() && vault.claim_run("life-1", &tenant()).ok().unwrap().is_none()
}

fn polled(vault: &Vault, poll: &Token, at: &str) -> Option<RunView> {
    vault.polled_run(poll.text(), &tenant(), &stack(at)).ok().unwrap()
}

/// Weakness T4: a token is good once, in its time, for its wait; and who asks for a result must
/// know more than the run's name.
#[test]
fn t4_a_token_is_good_once_and_only_where_it_belongs() {
    let house = House::new();
    let waits = [wait(MINUTE), wait(MINUTE)];
    let poll = begun(&house.vault, &waits);
    assert_eq!(ended(&house.vault, &waits[0], "guess"), None);
    assert_eq!(ended(&house.vault, &waits[0], waits[1].token.text()), None);
    assert_eq!(ended(&house.vault, &waits[0], waits[0].token.text()), Some(false));
    assert_eq!(ended(&house.vault, &waits[0], waits[0].token.text()), None, "it was used");
    assert!(none_ready(&house.vault), "one is still open");
    assert_eq!(ended(&house.vault, &waits[1], waits[1].token.text()), Some(true));
    let run = claimed(&house.vault, "life-1").run;
    assert_eq!(house.vault.polled_run(run.as_str(), &tenant(), &stack("web")).ok().unwrap(), None);
    assert_eq!(polled(&house.vault, &poll, "web"), Some(RunView::Running));
    assert_eq!(polled(&house.vault, &poll, "other"), None, "asked for where it did not begin");
    let other = TenantId::parse("tnt_other").unwrap();
    assert_eq!(house.vault.polled_run(poll.text(), &other, &stack("web")).ok().unwrap(), None);
}

#[test]
fn t4_a_token_expires() {
    let house = House::new();
    let waits = [wait(-MINUTE)];
    begun(&house.vault, &waits);
    assert_eq!(ended(&house.vault, &waits[0], waits[0].token.text()), None);
    assert!(none_ready(&house.vault), "until somebody looks at the clock");
    assert_eq!(house.vault.expire_waits(Timestamp::now(), 10).ok().unwrap(), 1);
    let (held, ends) = claimed(&house.vault, "life-1").held.unwrap();
    assert_eq!((held.as_slice(), ends[0].ending), (HELD, Ending::Expired));
}

#[test]
fn a_run_goes_on_once_with_what_it_held() {
    let house = House::new();
    let waits = [wait(MINUTE)];
    let poll = begun(&house.vault, &waits);
    ended(&house.vault, &waits[0], waits[0].token.text());
    let one = claimed(&house.vault, "life-1");
    assert!(none_ready(&house.vault), "it is taken");
    let (held, ends) = one.held.unwrap();
    assert_eq!((held.as_slice(), ends[0].output.as_slice()), (HELD, &b"{\"n\":1}"[..]));
    assert_eq!(house.vault.run_rules(&one.rules).ok().unwrap().unwrap(), "the rules");
    // It waits again: another step, other waits, and its old token opens nothing.
    let again = [wait(MINUTE)];
    assert!(house.vault.suspend_run(&one.run, "life-1", step(&again)).ok().unwrap());
    assert_eq!(ended(&house.vault, &waits[0], waits[0].token.text()), None);
    assert_eq!(ended(&house.vault, &again[0], again[0].token.text()), Some(true), "called back at once");
    assert!(none_ready(&house.vault), "other jobs of it may still be handed out");
    assert!(house.vault.release_run(&one.run, "life-1").ok().unwrap());
    let run = claimed(&house.vault, "life-1").run;
    assert!(!house.vault.end_run(&run, "life-2", Ok(b"x".to_vec())).ok().unwrap(), "not its owner");
    assert!(house.vault.end_run(&run, "life-1", Ok(b"done".to_vec())).ok().unwrap());
    assert!(!house.vault.end_run(&run, "life-1", Err("late")).ok().unwrap(), "the first end stays");
    assert_eq!(polled(&house.vault, &poll, "web"), Some(RunView::Completed(b"done".to_vec())));
}

#[test]
fn another_life_goes_on_with_what_was_not_touched() {
    let house = House::new();
    let waits = [wait(MINUTE), wait(MINUTE)];
    let polls = [begun(&house.vault, &waits[..1]), begun(&house.vault, &waits[1..])];
    for wait in &waits {
        ended(&house.vault, wait, wait.token.text());
    }
    claimed(&house.vault, "life-1");
    let touched = claimed(&house.vault, "life-1").run;
    assert!(house.vault.touch_run(&touched, "life-1").ok().unwrap());
    assert_eq!(house.vault.recover_runs("life-1", "interrupted").ok().unwrap(), Default::default());
    let living = house.vault.live("life-1").ok().unwrap();
    assert_eq!(
        house.vault.recover_runs("life-2", "interrupted").ok().unwrap(),
        Default::default(),
        "it lives"
    );
    drop(living);
    let left = house.vault.recover_runs("life-2", "interrupted").ok().unwrap();
    assert_eq!((left.again, left.interrupted), (1, 1));
    claimed(&house.vault, "life-2");
    let states = polls.map(|poll| polled(&house.vault, &poll, "web").unwrap());
    assert!(states.contains(&RunView::Failed("interrupted".to_owned())), "{states:?}");
    assert!(states.contains(&RunView::Running), "{states:?}");
}

/// Weakness T3: what waits is not in the database's files, nor is a token.
#[test]
fn t3_what_waits_is_sealed_and_bound_to_its_place() {
    let house = House::new();
    let waits = [wait(MINUTE)];
    let poll = begun(&house.vault, &waits);
    for text in ["4242", poll.text(), waits[0].token.text()] {
        assert!(!is_in_files(&house, text.as_bytes()), "{text}");
    }
    ended(&house.vault, &waits[0], waits[0].token.text());
    // Another run's bytes, or another step's, do not open.
    let database = house.attacker();
    database.execute("UPDATE txco_runs SET step = step + 1", []).unwrap();
    database.execute("UPDATE txco_waits SET step = step + 1", []).unwrap();
    let moved = claimed(&house.vault, "life-1");
    assert_eq!(moved.held.unwrap_err(), Unopened::NotAuthentic);
}

/// A key that was rotated out may go when nothing is sealed under it, and not before.
#[test]
fn runs_move_to_the_next_key() {
    let house = House::new();
    let waits = [wait(MINUTE)];
    begun(&house.vault, &waits);
    ended(&house.vault, &waits[0], waits[0].token.text());
    let house = house.reopened(KeyRing::new(key(1)).and(key(0)));
    assert_eq!(house.vault.census().ok().unwrap().rows.get(&key(0).id()), Some(&1), "it is needed");
    let mut rewrap = house.vault.rewrap(SchemeOne::Keep).ok().unwrap();
    while house.vault.rewrap_step(&mut rewrap, 10).ok().unwrap() == Progress::More {}
    assert_eq!(house.vault.census().ok().unwrap().rows.get(&key(0).id()), None);
    let house = house.reopened(key(1));
    assert_eq!(claimed(&house.vault, "life-1").held.unwrap().0, HELD);
}

#[test]
fn a_tenant_has_a_bounded_number_and_ended_ones_go() {
    let house = House::new();
    let (tenant, stack, request) = (tenant(), stack("web"), RequestId::mint().unwrap());
    let (id, other) = (Run::name().ok().unwrap(), Run::name().ok().unwrap());
    let run = |id| Run { id, tenant: &tenant, stack: &stack, request: &request, most: Some(1) };
    assert!(house.vault.begin_run(&run(&id), "life-1", First::Promised).ok().unwrap().is_some());
    assert!(
        house.vault.begin_run(&run(&other), "life-1", First::Promised).ok().unwrap().is_none(),
        "no room"
    );
    assert!(house.vault.end_run(&id, "life-1", Err("worker_failed")).ok().unwrap());
    let now = Timestamp::now();
    assert_eq!(house.vault.purge_runs(now - MINUTE, 10).ok().unwrap(), 0);
    assert_eq!(house.vault.purge_runs(now + MINUTE, 10).ok().unwrap(), 1);
    assert!(house.vault.begin_run(&run(&other), "life-1", First::Promised).ok().unwrap().is_some());
}

/// A run of `life-1` that goes on beside these.
fn deferring(vault: &Vault, waits: &[Wait]) -> (Id, Token) {
    let (tenant, stack, request) = (tenant(), stack("web"), RequestId::mint().unwrap());
    let id = Run::name().ok().unwrap();
    let run = Run { id: &id, tenant: &tenant, stack: &stack, request: &request, most: None };
    let poll = vault.begin_run(&run, "life-1", First::Defers(waits)).ok().unwrap().unwrap();
    (id, poll)
}

fn ids(waits: &[Wait]) -> Vec<Id> {
    waits.iter().map(|wait| wait.id.clone()).collect()
}

fn joining(vault: &Vault, run: &Id, owner: &str, waits: &[Wait]) -> Joining {
    vault.joined_waits(run, owner, &ids(waits)).ok().unwrap()
}

#[test]
fn a_run_goes_on_beside_what_it_defers() {
    let house = House::new();
    let vault = &house.vault;
    let first = [wait(MINUTE), wait(-MINUTE)];
    let (run, poll) = deferring(vault, &first);
    assert_eq!(polled(vault, &poll, "web"), Some(RunView::Running));
    assert!(matches!(joining(vault, &run, "life-1", &first), Joining::Open));
    assert!(matches!(joining(vault, &run, "life-2", &first), Joining::Lost));
    let more = [wait(MINUTE)];
    assert!(!vault.defer_waits(&run, "life-2", &more).ok().unwrap(), "not its owner");
    assert!(vault.defer_waits(&run, "life-1", &more).ok().unwrap());
    assert_eq!(ended(vault, &first[0], first[0].token.text()), Some(false), "it runs, and nobody goes on");
    assert_eq!(ended(vault, &first[0], first[0].token.text()), None, "once");
    assert_eq!(ended(vault, &first[1], first[1].token.text()), None, "too late");
    assert!(none_ready(vault));
    let Joining::Ended(ends) = joining(vault, &run, "life-1", &first) else { panic!("it is open") };
    let end = |of: &Wait| ends.iter().find(|end| end.wait == of.id).unwrap();
    assert_eq!(end(&first[0]).output, b"{\"n\":1}");
    assert_eq!((end(&first[0]).ending, end(&first[1]).ending), (Ending::Completed, Ending::Expired));
    assert_eq!(vault.expire_waits(Timestamp::now(), 10).ok().unwrap(), 1);
    assert!(matches!(joining(vault, &run, "life-1", &first), Joining::Ended(_)));
    assert!(vault.forget_run(&run, "life-1").ok().unwrap(), "its client never heard of it");
    assert_eq!(polled(vault, &poll, "web"), None);
    assert_eq!(ended(vault, &more[0], more[0].token.text()), None);
}

#[test]
fn what_is_deferred_outlasts_other_waits_until_it_is_due() {
    let house = House::new();
    let vault = &house.vault;
    let joins = [wait(MINUTE), wait(MINUTE), wait(MINUTE)];
    let (run, _poll) = deferring(vault, &joins);
    assert_eq!(ended(vault, &joins[0], joins[0].token.text()), Some(false));
    // It waits for somebody else, and those that are deferred do not wake it.
    let (workers, later) = ([wait(MINUTE)], ids(&joins));
    let held = Step { later: &later, ..step(&workers) };
    assert!(vault.suspend_run(&run, "life-1", held).ok().unwrap());
    assert!(!vault.release_run(&run, "life-1").ok().unwrap());
    assert_eq!(ended(vault, &joins[1], joins[1].token.text()), Some(false));
    assert!(none_ready(vault));
    assert_eq!(ended(vault, &workers[0], workers[0].token.text()), Some(true));
    let (_, ends) = claimed(vault, "life-1").held.unwrap();
    assert_eq!(ends.len(), 1, "of those that were waited for");
    // Two of them are due, and one of these is over already.
    let (due, later) = (ids(&joins[1..]), ids(&joins[..1]));
    let held = Step { due: &due, later: &later, ..step(&[]) };
    assert!(vault.suspend_run(&run, "life-1", held).ok().unwrap());
    assert!(!vault.release_run(&run, "life-1").ok().unwrap());
    assert_eq!(ended(vault, &joins[2], joins[2].token.text()), Some(true), "the last that is due");
    let (_, ends) = claimed(vault, "life-1").held.unwrap();
    assert_eq!(ends.iter().map(|end| end.wait.clone()).collect::<Vec<_>>(), due);
    assert!(ends.iter().all(|end| end.output == b"{\"n\":1}"), "sealed at three different steps");
    assert!(matches!(joining(vault, &run, "life-1", &joins[..1]), Joining::Ended(_)));
    // What was due is over before the run waits for it.
    assert!(vault.suspend_run(&run, "life-1", Step { due: &later, ..step(&[]) }).ok().unwrap());
    assert!(vault.release_run(&run, "life-1").ok().unwrap(), "it is ready at once");
    claimed(vault, "life-1");
}

/// A job was handed out, so nobody may begin again from before it.
#[test]
fn a_killed_run_that_deferred_is_interrupted() {
    let house = House::new();
    let vault = &house.vault;
    let (joins, workers) = ([wait(MINUTE)], [wait(MINUTE)]);
    let (_, poll) = deferring(vault, &joins);
    let again = begun(vault, &workers);
    ended(vault, &workers[0], workers[0].token.text());
    let run = claimed(vault, "life-1").run;
    let more = [wait(MINUTE)];
    assert!(vault.defer_waits(&run, "life-1", &more).ok().unwrap());
    let left = vault.recover_runs("life-2", "interrupted").ok().unwrap();
    assert_eq!((left.again, left.interrupted), (0, 2));
    for poll in [poll, again] {
        assert_eq!(polled(vault, &poll, "web"), Some(RunView::Failed("interrupted".to_owned())));
    }
    assert_eq!(ended(vault, &joins[0], joins[0].token.text()), None);
    assert_eq!(ended(vault, &more[0], more[0].token.text()), None);
}

#[test]
fn what_waited_before_waits_could_be_deferred_goes_on() {
    let house = House::new();
    let waits = [wait(MINUTE)];
    begun(&house.vault, &waits);
    let before = "ALTER TABLE txco_waits DROP COLUMN awaited; DELETE FROM txco_migrations WHERE number = 86";
    house.attacker().execute_batch(before).unwrap();
    let house = house.reopened(key(0));
    assert_eq!(ended(&house.vault, &waits[0], waits[0].token.text()), Some(true));
    assert_eq!(claimed(&house.vault, "life-1").held.unwrap().0, HELD);
}

fn is_in_files(house: &House, bytes: &[u8]) -> bool {
    let folder = std::fs::read_dir(house.folder()).unwrap();
    let files: Vec<_> = folder.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(files.iter().any(|file| file.len() > 1000));
    files.iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}
