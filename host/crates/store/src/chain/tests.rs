//! The chain: every row follows from the one before, and nothing about it can be changed unseen.

use super::*;

#[test]
fn heads_print_and_parse() {
    let head = Head { seq: 12, hash: [0xab; 32] };
    assert_eq!(head.to_string(), format!("12:{}", "ab".repeat(32)));
    assert_eq!(Head::parse(&head.to_string()), Some(head));
    for bad in ["", "12", "12:", "x:ab", &format!("1:{}", "ab".repeat(33)), &format!("1:{}", "+1".repeat(32))]
    {
        assert_eq!(Head::parse(bad), None, "{bad}");
    }
}

#[test]
fn what_undoes_itself_is_no_change() {
    let net = |changes: &[&str]| net(&changes.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>());
    assert_eq!(net(&["-op a", "+op a"]), Vec::<String>::new());
    assert_eq!(net(&["-op a", "+op b"]), ["-op a", "+op b"]);
    assert_eq!(net(&["+op a", "+op a"]), ["+op a", "+op a"]);
}

#[test]
fn no_text_moves_from_one_column_into_the_next() {
    let row = |actor: &str, tenant_id: &str| AuditRow {
        seq: 1,
        at: String::new(),
        actor: actor.to_owned(),
        tenant_id: tenant_id.to_owned(),
        action: String::new(),
        subject: String::new(),
        outcome: String::new(),
        detail: String::new(),
        previous: vec![0; 32],
        audit_key: None,
        seal: None,
    };
    assert_ne!(row("ab", "c").sealed(), row("a", "bc").sealed());
    let sealed = AuditRow { seal: Some(vec![1; 32]), ..row("a", "b") };
    assert_eq!(sealed.sealed(), row("a", "b").sealed());
    assert_ne!(sealed.head(), row("a", "b").head(), "the hash is over the seal too");
}
