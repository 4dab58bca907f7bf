//! What it costs that there are many rules: of other stacks nothing, in one scope what is looked at.

use std::sync::Arc;

use model::{Envelope, RequestId, Value};
use sandbox::measure::{median, timed};
use tokio::runtime::Builder;

use crate::Row;
use crate::house::House;

const MANY: [usize; 3] = [10, 1_000, 100_000];
const ROUNDS: usize = 15;
const CALLS: u32 = 100;

pub(crate) fn rows() -> Vec<Row> {
    let houses = MANY.map(|rules| (rules, House::new(of_other_stacks(rules), "bench")));
    let took = beside_each_other(&houses, CALLS);
    let first = took[0];
    let mut rows: Vec<_> = houses
        .iter()
        .zip(&took)
        .map(|((rules, _), took)| Row {
            what: format!("a request, with {rules} rules of other stacks loaded"),
            measured: format!("{:.2} times the time with 10", took / first),
            goal: (*rules == 100_000).then(|| ("<= 1.1", took / first <= 1.1)),
        })
        .collect();
    let houses = [10, 1_000, 10_000].map(|rules| (rules, House::new(of_one_scope(rules), "bench")));
    let took = beside_each_other(&houses, 10);
    rows.extend(houses.iter().zip(&took).map(|((rules, _), took)| Row {
        what: format!("a scope of {rules} rules, one of which matches"),
        measured: format!("{:.0} rules/s", *rules as f64 / took),
        goal: None,
    }));
    rows
}

/// The median seconds of one request to each, in rounds in which they alternate.
fn beside_each_other(houses: &[(usize, House)], calls: u32) -> Vec<f64> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let document = Arc::new(Value::parse(br#"{"body":{"kind":"k3","n":1}}"#).unwrap());
    let ask = |house: &House| {
        let chassis = house.serving.chassis();
        let route = chassis.space().route("localhost").unwrap();
        let envelope = Envelope::new(Value::clone(&document)).unwrap();
        let request = chassis::Request::new(RequestId::mint().unwrap(), route, envelope);
        let outcome = runtime.block_on(chassis.run(request));
        assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    };
    let round = |_| houses.iter().map(|(_, house)| timed(calls, || ask(house)).as_secs_f64()).collect();
    let rounds: Vec<Vec<f64>> = (0..=ROUNDS).map(round).skip(1).collect();
    (0..houses.len()).map(|at| median(rounds.iter().map(|round| round[at]).collect())).collect()
}

/// Three rules for the request, and so many that are nothing to it, a hundred in a stack.
fn of_other_stacks(rules: usize) -> Vec<(String, String)> {
    let own = (1..=3).map(|scope| (format!("bench/{scope}00/a.txcl"), format!("EMIT .a{scope} = {scope}")));
    let others = (0..rules).map(|rule| {
        let path = format!("other-{}/{}/r{rule}.txcl", rule / 100, 100 + rule % 10);
        (path, format!("WHEN .body.kind == \"k{rule}\"\nEMIT .found = {rule}"))
    });
    own.chain(others).collect()
}

/// So many rules in one scope, one of which matches.
fn of_one_scope(rules: usize) -> Vec<(String, String)> {
    let rule = |rule| {
        (format!("bench/100/r{rule}.txcl"), format!("WHEN .body.kind == \"k{rule}\"\nEMIT .found = {rule}"))
    };
    (0..rules).map(rule).collect()
}
