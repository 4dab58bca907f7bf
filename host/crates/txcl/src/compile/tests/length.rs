//! What a file costs grows with its length and not with its square, whatever it is full of.

use std::fmt::Write as _;
use std::time::Duration;

use super::{AnyOps, Mode, check, file};

/// What one byte of a file must never do: look at all that came before it.
#[test]
fn a_file_eight_times_as_long_costs_some_eight_times_as_much() {
    let members = |text: &mut String, at| write!(text, ",.a{at}=1").unwrap();
    let repeated: [(&str, &str); 12] = [
        ("quotes", "''"),
        ("words", "x "),
        ("characters", "\u{fc}"),
        ("clauses", "SET .a=1 "),
        ("conditions", "WHEN .a == 1 "),
        ("rules", "WHEN .a == 1 EXEC \"a/1\"\n"),
        ("open texts", "SET .a.\"b\n"),
        ("unknown functions", "SET .a=&no() "),
        ("calls", "SET .a=&json(\"[1,2]\") "),
        ("parameters", "WITH redact=\".a\" "),
        ("brackets", "SET .a=[[1],[1]] "),
        ("negations", "WHEN !!(.a == 1) "),
    ];
    let mut grows =
        vec![("members", cost(&long("SET .a=1", 1, members)), cost(&long("SET .a=1", 8, members)))];
    for (what, part) in repeated {
        let text = |times| long("", times, |text, _| text.push_str(part));
        grows.push((what, cost(&text(1)), cost(&text(8))));
    }
    for (what, short, long) in grows {
        assert!(long < 24 * short, "{what}: {short} ns, and {long} ns for eight times as much");
    }
}

fn long(begin: &str, times: usize, more: impl Fn(&mut String, usize)) -> String {
    let mut text = begin.to_owned();
    (0..)
        .take_while(|at| {
            more(&mut text, *at);
            text.len() < times * 20_000
        })
        .for_each(drop);
    text
}

/// Nanoseconds that this thread ran; what others do meanwhile does not count. The least of three.
fn cost(text: &str) -> u64 {
    let ran = || -> u64 {
        // It is counted when a thread gives way, and else at the clock's ticks, of which these are too few.
        std::thread::sleep(Duration::from_nanos(1));
        let said =
            std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
        said.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number")
    };
    let once = || {
        let began = ran();
        drop(check(&file(text), Mode::Lenient, &AnyOps));
        ran() - began
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}
