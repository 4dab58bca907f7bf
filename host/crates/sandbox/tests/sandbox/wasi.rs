//! An operating system with nothing in it: real randomness, a clock that stands, no more words than a log has.

use model::Fault;
use sandbox::{Error, Limits, Op, Randomness, Trust};
use vault::Credentials;

use crate::bench::{Secrets, dialled, guest, input, name, nothing, op, sandbox};

const EXIT: u64 = 1;
const ABSENT: u64 = 2;
const PRINT: u64 = 3;
const PRINT_AND_CRASH: u64 = 4;
const RANDOM: u64 = 5;

fn wasi() -> Op {
    op("wasi", Limits::default())
}

fn author() -> Op {
    sandbox(Limits::default()).load(name("wasi"), &guest("wasi"), Trust::Author).unwrap()
}

#[test]
fn it_is_empty_and_its_clocks_stand_at_the_time_of_the_call() {
    let op = wasi();
    for millis in [0, 256, 0x0190_0000_0000] {
        assert_eq!(dialled(&op, millis).map(|output| output.fields), Ok(Vec::new()), "at {millis}");
    }
}

/// Weakness W2: a fixed seed would make every call's nonces and keys the same.
#[test]
fn its_random_bytes_are_real() {
    let op = wasi();
    let drawn = |randomness| {
        let mut input = input(RANDOM);
        input.randomness = randomness;
        op.call(input, nothing(), &Credentials::new()).unwrap().fields
    };
    assert_ne!(drawn(Randomness::System), drawn(Randomness::System));
    assert_eq!(drawn(Randomness::Seeded(1)), drawn(Randomness::Seeded(1)));
}

#[test]
fn what_it_has_not_ends_the_call_and_only_its_author_reads_what() {
    let trap = |op: &Op, dial| match dialled(op, dial) {
        Err(error @ Error::Trapped { .. }) => {
            assert_eq!(error.failure().fault, Fault::OpTrapped);
            error.to_string()
        }
        other => panic!("{other:?}"),
    };
    // The names of what is imported are the guest's choice: which it calls could be a message.
    for dial in [EXIT, ABSENT] {
        let said = "it crashed: it called something of an operating system that no op has";
        assert_eq!(trap(&wasi(), dial), said);
    }
    assert_eq!(
        trap(&author(), ABSENT),
        "it crashed: it called wasi:cli/exit@0.2.3#exit-with-code, which no op has"
    );
    assert_eq!(trap(&author(), EXIT), "it crashed: it called wasi:cli/exit@0.2.3#exit, which no op has");
}

/// Weakness W3: what a guest prints is bounded in the host too.
#[test]
fn what_it_prints_is_its_log_and_no_more_of_it() {
    let op = wasi();
    let printed = |lines: u64| {
        let output = dialled(&op, lines << 8 | PRINT).unwrap();
        assert!(output.log.iter().all(|line| line == "printed"), "{output:?}");
        (output.log.len(), output.log_dropped)
    };
    // The guest keeps a handle per line, so there are not many more.
    assert_eq!([printed(1), printed(32), printed(33), printed(100)], [(1, 0), (32, 0), (32, 1), (32, 68)]);
}

#[test]
fn what_it_printed_before_it_crashed_is_heard() {
    let heard = |op: &Op| {
        let mut heard = Vec::new();
        let dial = 2 << 8 | PRINT_AND_CRASH;
        let result = op.call_heard(
            input(dial),
            nothing(),
            &Credentials::new(),
            &mut heard,
            &sandbox::Leash::default(),
        );
        assert!(matches!(result, Err(Error::Trapped { .. })), "{result:?}");
        heard
    };
    assert_eq!(heard(&wasi()), ["printed", "printed"]);
    assert_eq!(heard(&author()), ["printed", "printed"]);
}

/// Weakness C8: what a guest printed that was shown a secret reaches no trace and no log.
#[test]
fn what_an_op_says_that_was_shown_a_secret_is_heard_by_its_author_only() {
    let heard = |trust| {
        let op = sandbox(Limits::default()).load(name("reveal"), &guest("reveal"), trust).unwrap();
        let bags = Secrets::new().bags(&op, "key", b"canary-of-words");
        let mut heard = Vec::new();
        let result =
            op.call_heard(input(4), bags, &Credentials::new(), &mut heard, &sandbox::Leash::default());
        // It logs its secret, and returns what it may not.
        let log = result.map_or_else(|_| Vec::new(), |output| output.log);
        [log, heard].concat()
    };
    assert_eq!(heard(Trust::Tenant), Vec::<String>::new());
    assert_eq!(heard(Trust::Author), ["canary-of-words"]);
}
