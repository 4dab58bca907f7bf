//! Which components are called directly, and that no op can tell whether it is.

use std::process::Command;

use sandbox::{Error, Layered, Limits, OpOutput, Over, Sandbox, Trust, measure};
use vault::Credentials;

use crate::bench::{Secrets, guest, input, name, nothing, sandbox};
use crate::builtins::embedded;

const LOWERED: &str = "(canon lower (func 4) (memory 0) (realloc 10) string-encoding=utf8)";
const LIFTED: &str = "(canon lift (core func 19) (memory 0) string-encoding=utf8)";
const MEMORY: &str = "(alias core export 4 \"memory\" (core memory (;0;)))";
const LIFTED_AS: &str = "(export (;10;) \"handle\" (func 9))";
const HANDLE: &str = "(export \"handle\" (func 21))";
/// The end of the op's own module: here something may be added without moving what is there.
const END: &str = "  )\n  (core module (;1;)";

/// The component of `tests/guests/keys.wat` as text, with each of these changes made once.
fn changed(changes: &[(&str, &str)]) -> Vec<u8> {
    let mut text = wasmprinter::print_bytes(guest("keys")).unwrap();
    for (from, to) in changes {
        // From the end: what wires stands behind the op's own code.
        let at = text.rfind(from).unwrap_or_else(|| panic!("there is no {from}"));
        text.replace_range(at..at + from.len(), to);
    }
    wat::parse_str(&text).unwrap()
}

/// What comes of it, loaded there and called in each way that the guest knows.
fn outcomes(there: &Sandbox, wasm: &[u8]) -> Result<Vec<Result<OpOutput, Error>>, Error> {
    let op = there.load(name("keys"), wasm, Trust::Tenant)?;
    let secrets = Secrets::new();
    let once = |what: u64| {
        let bags = if op.uses_keys() { secrets.bags(&op, "key", b"Jefe") } else { nothing() };
        op.call(input(3 << 32 | what), bags, &Credentials::new())
    };
    Ok((0..=16).map(once).collect())
}

#[track_caller]
fn same(what: &str, wasm: &[u8], directly: bool) {
    let limits = || Limits { wall: std::time::Duration::from_millis(100), ..Limits::default() };
    let (here, layered) = (sandbox(limits()), measure::layered(limits()).unwrap());
    assert_eq!(outcomes(&here, wasm), outcomes(&layered, wasm), "{what}");
    let direct = here.load(name("keys"), wasm, Trust::Tenant).map(|op| op.layered().is_none());
    assert_eq!(direct == Ok(true), directly, "{what}: {direct:?}");
}

#[test]
fn what_is_wired_as_usual_is_called_directly() {
    for (builtin, wasm) in embedded() {
        let op = sandbox(Limits::default()).load(builtin.name, &wasm, Trust::Tenant).unwrap();
        assert_eq!(op.layered(), None, "{}", builtin.file);
    }
    let (here, layered) = (sandbox(Limits::default()), measure::layered(Limits::default()).unwrap());
    let why =
        |sandbox: &Sandbox, wasm: &[u8]| sandbox.load(name("keys"), wasm, Trust::Tenant).unwrap().layered();
    assert_eq!(why(&layered, &guest("keys")), Some(Layered::Asked));
    let otherwise = changed(&[(LIFTED, "(canon lift (core func 19) (memory 0) string-encoding=utf16)")]);
    assert_eq!(why(&here, &otherwise), Some(Layered::Unusual));
    assert_eq!(why(&here, &guest("wasi")), Some(Layered::Wasi));
    same("as it is", &guest("keys"), true);
    same("as its text", &changed(&[]), true);
    same(
        "other names in between",
        &changed(&[("\"$imports\"", "\"t\""), ("\"$imports\" (table 0)", "\"t\" (table 0)")]),
        false,
    );
}

#[test]
fn what_is_wired_almost_as_usual_is_called_as_a_component() {
    let drop_key = "(alias export 2 \"key\" (type (;10;)))";
    let second = "(core instance (;6;) (instantiate 2
      (with \"\" (instance 5))
    )
  )";
    let again = format!(
        "{second} (core instance $again (instantiate 0 (with \"txco:op/call@1.0.0\" (instance 1)) \
        (with \"txco:op/log@1.0.0\" (instance 2)) (with \"txco:op/keys@1.0.0\" (instance 3))))"
    );
    let versions = "(instance (export \"versions\" (func (param \"slot\" string) (result u32))))";
    let secrets = format!("(import \"txco:op/secrets@1.0.0\" {versions})");
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "texts as UTF-16",
            &[(LOWERED, "(canon lower (func 4) (memory 0) (realloc 10) string-encoding=utf16)")],
        ),
        ("a result as UTF-16", &[(LIFTED, "(canon lift (core func 19) (memory 0) string-encoding=utf16)")]),
        (
            "another's memory",
            &[
                (
                    MEMORY,
                    "(alias core export 4 \"memory\" (core memory (;0;))) (core module $m (memory (export \"m\") 40)) \
                     (core instance $m (instantiate $m)) (alias core export $m \"m\" (core memory $m))",
                ),
                (LOWERED, "(canon lower (func 4) (memory $m) (realloc 10) string-encoding=utf8)"),
                ("(with \"\" (instance 5))", "(with \"\" (instance 6))"),
            ],
        ),
        (
            "a memory more",
            &[
                (
                    "(export \"memory\" (memory 0))",
                    "(memory $m 1) (export \"memory\" (memory 0)) (export \"m\" (memory $m))",
                ),
                (
                    "(alias core export 4 \"cabi_realloc\"",
                    "(alias core export 4 \"m\" (core memory $m)) (alias core export 4 \"cabi_realloc\"",
                ),
                (LOWERED, "(canon lower (func 4) (memory $m) (realloc 10) string-encoding=utf8)"),
            ],
        ),
        (
            "its memory under another name",
            &[("(export \"memory\"", "(export \"m\""), ("export 4 \"memory\"", "export 4 \"m\"")],
        ),
        (
            "another realloc",
            &[
                (
                    END,
                    "(export \"r\" (func $r)) (func $r (param i32 i32 i32 i32) (result i32) i32.const 81920) ) (core module (;1;)",
                ),
                ("export 4 \"cabi_realloc\"", "export 4 \"r\""),
            ],
        ),
        (
            "another handle",
            &[
                (HANDLE, "(export \"h\" (func 21))"),
                (
                    END,
                    "(export \"handle\" (func $h)) (func $h (result i32) unreachable) ) (core module (;1;)",
                ),
                ("export 4 \"handle\"", "export 4 \"h\""),
            ],
        ),
        (
            "a function of another interface",
            &[("(export \"[static]key.public\" (func 5))", "(export \"[static]key.public\" (func 1))")],
        ),
        (
            "two functions exchanged",
            &[
                ("key.verify\" (func 7)", "key.verify\" (func 8)"),
                ("key.derive\" (func 8)", "key.derive\" (func 7)"),
            ],
        ),
        (
            "exchanged where the table is filled",
            &[("\"6\" (func 17)", "\"6\" (func 18)"), ("\"7\" (func 18)", "\"7\" (func 17)")],
        ),
        ("exchanged in the table", &[("func 0 1 2 3 4 5 6 7)", "func 0 1 2 3 4 5 7 6)")]),
        (
            "a table filled from elsewhere",
            &[("(i32.const 0) func 0 1 2 3 4 5 6 7)", "(i32.const 1) func 1 2 3 4 5 6 7)")],
        ),
        ("a table filled twice", &[("(elem (;0;)", "(elem (i32.const 6) func 7 6) (elem (;0;)")]),
        (
            "a table with a place more",
            &[
                ("(table (;0;) 8 8 funcref))", "(table 9 9 funcref))"),
                ("(table (;0;) 8 8 funcref)", "(table 9 9 funcref)"),
            ],
        ),
        (
            "called through another place",
            &[("i32.const 6\n      call_indirect", "i32.const 7\n      call_indirect")],
        ),
        (
            "arguments exchanged on the way",
            &[(
                "local.get 0\n      local.get 1\n      local.get 2\n      i32.const 4",
                "local.get 1\n      local.get 0\n      local.get 2\n      i32.const 4",
            )],
        ),
        (
            "an argument replaced on the way",
            &[("local.get 2\n      i32.const 4", "i32.const 64\n      i32.const 4")],
        ),
        (
            "more done on the way",
            &[("local.get 2\n      i32.const 4", "local.get 2\n      nop\n      i32.const 4")],
        ),
        ("a handle of another kind dropped", &[(drop_key, "(alias export 1 \"blob\" (type (;10;)))")]),
        ("code that runs first", &[(END, "(start $s) (func $s (drop (call $now))) ) (core module (;1;)")]),
        ("code that runs in between", &[("(elem (;0;)", "(start $s) (func $s) (elem (;0;)")]),
        (
            "two of it, the other called",
            &[(second, &again), ("export 4 \"handle\"", "export $again \"handle\"")],
        ),
        ("two of it, the first called", &[(second, &again)]),
        ("a module that nobody uses", &[("(core instance (;0;)", "(core module) (core instance (;0;)")]),
        (
            "one export more",
            &[(LIFTED_AS, "(export (;10;) \"handle\" (func 9)) (export \"other\" (func 9))")],
        ),
        ("another name", &[(LIFTED_AS, "(export (;10;) \"other\" (func 9))")]),
        (
            "cleaned up by another function",
            &[
                (END, "(export \"p\" (func $p)) (func $p (param i32)) ) (core module (;1;)"),
                (
                    "export 4 \"handle\" (core func (;19;))",
                    "export 4 \"handle\" (core func (;19;))) (alias core export 4 \"p\" (core func $p)",
                ),
                (
                    LIFTED,
                    "(canon lift (core func 19) (memory 0) (post-return (core func $p)) string-encoding=utf8)",
                ),
            ],
        ),
        (
            "not cleaned up",
            &[(
                END,
                "(export \"cabi_post_handle\" (func $p)) (func $p (param i32) unreachable) ) (core module (;1;)",
            )],
        ),
        (
            "an interface that it calls nothing of",
            &[
                ("  (core module (;0;)", &format!("  {secrets} (core module (;0;)")),
                (drop_key, "(alias export 2 \"key\" (type $k))"),
                ("resource.drop 10", "resource.drop $k"),
                ("(type (;11;) (list 7))", "(type $l (list 7))"),
                ("(type (;12;) (result 11 (error 9)))", "(type $r (result $l (error 9)))"),
                ("(type (;13;) (func (result 12)))", "(type $f (func (result $r)))"),
                ("(func (;9;) (type 13)", "(func (;9;) (type $f)"),
            ],
        ),
        ("an import at the end", &[(LIFTED_AS, &format!("{LIFTED_AS} {secrets}"))]),
        (
            "bytes for a text",
            &[("(func (param \"slot\" string) (result u32))", "(func (param \"slot\" 11) (result u32))")],
        ),
        (
            "an enum with the names exchanged",
            &[("\"no-such-slot\" \"no-such-version\"", "\"no-such-version\" \"no-such-slot\"")],
        ),
        (
            "fields in another order",
            &[(
                "(field \"code\" string) (field \"message\" string)",
                "(field \"message\" string) (field \"code\" string)",
            )],
        ),
        (
            "another result",
            &[("(type (;12;) (result 11 (error 9)))", "(type (;12;) (result 11 (error string)))")],
        ),
    ];
    for (what, changes) in cases {
        // Of the changes themselves none is wrong: the engine takes it, or says what it misses.
        let loaded = outcomes(&sandbox(Limits::default()), &changed(changes));
        assert_ne!(loaded.err(), Some(Error::NotAComponent), "{what}");
        same(what, &changed(changes), false);
    }
}

/// A component whose `cabi_post_handle` is this.
fn cleaning(up: &str) -> Vec<u8> {
    let export =
        format!("(export \"cabi_post_handle\" (func $p)) (func $p (param i32) {up}) ) (core module (;1;)");
    changed(&[
        (END, &export),
        (
            "export 4 \"handle\" (core func (;19;))",
            "export 4 \"handle\" (core func (;19;))) (alias core export 4 \"cabi_post_handle\" (core func $p)",
        ),
        (LIFTED, "(canon lift (core func 19) (memory 0) (post-return (core func $p)) string-encoding=utf8)"),
    ])
}

#[test]
fn an_op_cleans_up_and_no_more() {
    same("nothing to do", &cleaning(""), true);
    same("a crash", &cleaning("unreachable"), true);
    same("a host call", &cleaning("(drop (call $now))"), true);
    same(
        "what it returned, overwritten",
        &cleaning("(memory.fill (i32.const 0) (i32.const 255) (i32.const 65536))"),
        true,
    );
    let endless = cleaning("(loop (br 0))");
    same("no end", &endless, true);
    let limits = Limits { wall: std::time::Duration::from_millis(20), ..Limits::default() };
    let op = sandbox(limits).load(name("keys"), &endless, Trust::Tenant).unwrap();
    let over = op.call(input(1), Secrets::new().bags(&op, "key", b"Jefe"), &Credentials::new());
    assert!(matches!(over, Err(Error::Over(Over::Time(_)))), "{over:?}");
}

/// Every limit and every wall of these tests again, for ops that are not wired as usual.
#[test]
fn what_holds_directly_holds_in_the_component_layer() {
    if std::env::var_os("TXCO_OPS_LAYERED").is_some() {
        return;
    }
    let rooms = ["limits::", "walls::", "keys::", "says::", "memory::"];
    let again = Command::new(std::env::current_exe().unwrap())
        .args(rooms)
        .env("TXCO_OPS_LAYERED", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{said}");
    assert!(!said.contains(" 0 passed"), "{said}");
}
