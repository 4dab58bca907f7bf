//! `#[instrument]` names its fields: by default it would record every argument, secrets among them.

use crate::tree;

fn complaints(text: &str) -> usize {
    let code = tree::code(text);
    let attributes = code.match_indices("instrument").filter(|(at, _)| {
        let line = code[..*at].rfind('\n').map_or(0, |start| start + 1);
        code[line..*at].trim_start().starts_with("#[")
    });
    attributes.filter(|(at, _)| !code[*at..].split(']').next().unwrap().contains("skip_all")).count()
}

#[test]
fn spans_name_their_fields() {
    let files = tree::rust("host");
    assert!(files.len() > 50, "only {} files were checked", files.len());
    for file in files {
        assert_eq!(complaints(file.text()), 0, "{}: #[instrument] without skip_all", file.path);
    }
}

#[test]
fn the_check_complains() {
    assert_eq!(
        complaints("#[instrument]\nfn f() {}\n#[tracing::instrument(level = \"info\")]\nfn g() {}\n"),
        2
    );
    assert_eq!(complaints("#[instrument(skip_all, fields(op))]\nfn f() {}\nlet x = instrument(y);\n"), 0);
}
