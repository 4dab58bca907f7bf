//! A guest that hands over what is none of the contract's values: each ends the call in exactly its fault, and
//! the next call is served.

use std::time::Duration;

use model::Fault;
use sandbox::{Error, Limits, OutputFlaw, Over, Sandbox, Trust, measure};
use vault::Credentials;

use crate::bench::{guest, input, name, nothing, sandbox};

const TYPES: &str = r#"(import "txco:op/types@1.0.0" (instance $types
    (type $value (variant (case "text" string) (case "json" string)))
    (export "value" (type $v (eq $value)))
    (type $class (enum "data" "digest" "credential"))
    (export "class" (type $c (eq $class)))
    (type $field (record (field "path" string) (field "class" $c) (field "value" $v)))
    (export "field" (type $f (eq $field)))
    (type $failure (record (field "code" string) (field "message" string)))
    (export "failure" (type $fl (eq $failure)))))
  (alias export $types "field" (type $field))
  (alias export $types "failure" (type $failure))"#;
const LIFTED: &str = r#"(func $h (result (result (list $field) (error $failure)))
    (canon lift (core func $i "handle") (memory (core memory $i "memory")) (realloc (core func $i "cabi_realloc")) OPTIONS))
  (export "handle" (func $h))"#;
const REALLOC: &str =
    r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))"#;

/// A component whose `handle` returns what lies in its memory at 16, which is `parts`, after `doing`.
fn returning(parts: &[(u32, &[u8])], doing: &str) -> Vec<u8> {
    cleaned_up(parts, doing, "", "")
}

fn cleaned_up(parts: &[(u32, &[u8])], doing: &str, functions: &str, options: &str) -> Vec<u8> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let data = parts.iter().map(|(at, bytes)| format!("(data (i32.const {at}) \"{}\")", hex(bytes)));
    let text = format!(
        "(component {TYPES} (core module $m (memory (export \"memory\") 1) {REALLOC} {functions} {}
          (func (export \"handle\") (result i32) {doing} (i32.const 16)))
        (core instance $i (instantiate $m)) {})",
        data.collect::<String>(),
        LIFTED.replace("OPTIONS", options)
    );
    wat::parse_str(text).unwrap()
}

/// Texts whose room is made by this `cabi_realloc`: the call's id, asked for before it returns nothing.
fn asking(realloc: &str) -> Vec<u8> {
    let text = format!(
        "(component {TYPES}
        (import \"txco:op/call@1.0.0\" (instance $call (export \"request-id\" (func (result string)))))
        (core module $room (memory (export \"memory\") 1)
          (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) {realloc}))
        (core instance $room (instantiate $room))
        (core func $id (canon lower (func $call \"request-id\")
          (memory (core memory $room \"memory\")) (realloc (core func $room \"cabi_realloc\"))))
        (core module $m (import \"a\" \"memory\" (memory 1)) (import \"a\" \"id\" (func $id (param i32)))
          (export \"memory\" (memory 0))
          (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
          (func (export \"handle\") (result i32) (call $id (i32.const 64)) (i32.const 16)))
        (alias core export $room \"memory\" (core memory $memory))
        (core instance $i (instantiate $m (with \"a\" (instance
          (export \"memory\" (memory $memory)) (export \"id\" (func $id))))))
        {})",
        LIFTED.replace("OPTIONS", "")
    );
    wat::parse_str(text).unwrap()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What the call ends with, directly and through the component layer; and after it another guest is
/// served there.
#[track_caller]
fn ends(what: &str, component: &[u8]) -> [Error; 2] {
    let limits = || Limits { wall: Duration::from_millis(100), ..Limits::default() };
    let end = |there: &Sandbox| {
        let op = there.load(name("liar"), component, Trust::Tenant).unwrap();
        let error = op.call(input(0), nothing(), &Credentials::new()).err();
        let honest = there.load(name("input"), &guest("input"), Trust::Tenant).unwrap();
        assert!(honest.call(input(0), nothing(), &Credentials::new()).is_ok(), "{what}");
        error.unwrap_or_else(|| panic!("{what} is taken"))
    };
    [end(&sandbox(limits())), end(&measure::layered(limits()).unwrap())]
}

#[track_caller]
fn ends_both(what: &str, component: &[u8], error: &Error) {
    assert_eq!(ends(what, component), [error.clone(), error.clone()], "{what}");
}

#[test]
fn no_value_of_the_contract() {
    let one = words(&[512, 1]);
    let field = |path: u32, class: u32, kind: u32| words(&[path, 3, class, kind, 600, 1]);
    let trap = "it broke the rules of the component ABI".to_owned();
    for (what, component) in [
        ("a result that is neither", returning(&[(16, &[7])], "")),
        ("a list behind the memory's end", returning(&[(20, &words(&[0x7fff_fff8, 1]))], "")),
        ("a list that is not aligned", returning(&[(20, &words(&[513, 1]))], "")),
        ("a class that there is not", returning(&[(20, &one), (512, &field(600, 7, 0))], "")),
        ("a kind of value that there is not", returning(&[(20, &one), (512, &field(600, 0, 9))], "")),
        (
            "half a character",
            returning(&[(20, &one), (512, &field(600, 0, 0)), (600, &[0xed, 0xa0, 0x80])], ""),
        ),
        ("a text behind the memory's end", returning(&[(20, &one), (512, &field(0xffff_fff0, 0, 0))], "")),
        ("a result behind the memory's end", returning(&[], "(return (i32.const -4))")),
        ("a result that is not aligned", returning(&[], "(return (i32.const 17))")),
        ("room behind the memory's end", asking("(i32.const -1)")),
        ("room that is not all there", asking("(i32.const 65530)")),
    ] {
        let error = Error::Trapped { trap: trap.clone() };
        assert_eq!(error.failure().fault, Fault::OpTrapped);
        ends_both(what, &component, &error);
    }
}

#[test]
fn more_than_there_can_be() {
    let most = Limits::default().output;
    for count in [400_000, 1 << 31, u32::MAX] {
        // Ours counts first, the engine looks first whether they lie in the memory.
        let ended = ends("a list", &returning(&[(20, &words(&[512, count]))], ""));
        let trap = "it broke the rules of the component ABI".to_owned();
        assert_eq!(ended, [Error::Over(Over::Output(most)), Error::Trapped { trap }], "{count}");
    }
    let deep = "(memory.fill (i32.const 4096) (i32.const 91) (i32.const 60000))";
    let field = words(&[600, 1, 0, 1, 4_096, 60_000]);
    let arrays = returning(&[(20, &words(&[512, 1])), (512, &field), (600, b"p")], deep);
    ends_both("60,000 arrays", &arrays, &Error::Output { field: 0, why: OutputFlaw::NotJson });
}

#[test]
fn no_end_and_no_way_back() {
    let after = |doing: &str| {
        let post = format!("(func (export \"post\") (param i32) {doing})");
        cleaned_up(&[], "", &post, "(post-return (core func $i \"post\"))")
    };
    let over = |what: &str, component: &[u8]| {
        let ended = ends(what, component);
        assert!(ended.iter().all(|end| matches!(end, Error::Over(Over::Time(_)))), "{what}: {ended:?}");
    };
    over("after it returned", &after("(loop (br 0))"));
    over("while room is made", &asking("(loop (br 0)) (i32.const 4096)"));
    over("before it begins", &cleaned_up(&[], "", "(func $s (loop (br 0))) (start $s)", ""));
    let crash = "wasm trap: wasm `unreachable` instruction executed".to_owned();
    for component in [after("unreachable"), asking("unreachable")] {
        ends_both("a crash", &component, &Error::Trapped { trap: crash.clone() });
    }
}
