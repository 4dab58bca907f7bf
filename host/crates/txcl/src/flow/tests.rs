//! Where rules lead.

use super::*;
use crate::compile::compile;
use crate::diagnostic::{Mode, RuleFile};
use crate::ops::AnyOps;

fn leads(text: &str) -> Leads {
    let file = RuleFile { path: "t.txcl", name: "t", text };
    compile(&file, Mode::Strict, &AnyOps).unwrap_or_else(|d| panic!("{d}")).remove(0).leads()
}

#[test]
fn a_rule_tells_where_it_leads() {
    let to = |stage: &str| Leads::To(stage.to_owned());
    assert_eq!(leads("EMIT .a = 1"), Leads::On);
    assert_eq!(leads("EMIT @halt = true, @goto = 5"), Leads::Ends);
    assert_eq!(leads("EMIT @halt = .done"), Leads::On);
    assert_eq!(leads("EMIT @goto = \"shop/20\""), to("shop/20"));
    assert_eq!(leads("EMIT @goto = 20"), to("20"));
    assert_eq!(leads("EXEC \"shop/20\""), to("shop/20"));
    assert_eq!(leads("EXEC \"shop/20\" EMIT @goto = .next"), Leads::Anywhere);
    assert_eq!(leads("SELECT .next AS @goto"), Leads::Anywhere);
    assert_eq!(leads("SELECT .a SET @goto = 7"), to("7"));
}
