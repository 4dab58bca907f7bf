//! The embedded ops against public vectors.
//!
//! `builtin-ops/build --check` runs this file on freshly built ones (`TXCO_OPS_DIST`).

use std::sync::Arc;

use model::{Envelope, Fault, Path, Value};
use sandbox::{Builtin, Error, Limits, Op, OpOutput, Trust, builtins, measure};
use serde_json::Value as Json;
use vault::Credentials;

use crate::bench::{Secrets, dialled, input, sandbox, text};

pub(crate) fn embedded() -> Vec<(Builtin, Vec<u8>)> {
    let rebuilt = std::env::var_os("TXCO_OPS_DIST").map(std::path::PathBuf::from);
    let bytes = |builtin: &Builtin| match &rebuilt {
        Some(folder) => std::fs::read(folder.join(builtin.file)).unwrap(),
        None => builtin.wasm.to_vec(),
    };
    builtins().unwrap().into_iter().map(|builtin| (builtin.clone(), bytes(&builtin))).collect()
}

fn builtin(op_name: &str) -> Op {
    let [embedded, _] = built(&format!("{op_name}.wasm"), Limits::default());
    embedded
}

/// The op of a file of `builtin-ops/dist`, twice: called directly, and through the engine's
/// component layer.
pub(crate) fn built(file: &str, limits: Limits) -> [Op; 2] {
    let (builtin, wasm) = embedded().into_iter().find(|(builtin, _)| builtin.file == file).unwrap();
    let ways = [sandbox(limits.clone()), measure::layered(limits).unwrap()];
    let ops = ways.map(|way| way.load(builtin.name.clone(), &wasm, Trust::Builtin).unwrap());
    assert_eq!(ops.each_ref().map(|op| op.layered().is_none()), [true, false], "{file}");
    ops
}

struct Case<'a> {
    op: &'a Op,
    secrets: &'a Secrets,
    slot: &'a str,
    secret: &'a [u8],
    params: &'a str,
    envelope: Envelope,
}

impl Case<'_> {
    fn call(self, credentials: &Credentials) -> Result<OpOutput, Error> {
        let mut input = input(0);
        input.params = Arc::new(Value::parse(self.params.as_bytes()).unwrap());
        input.envelope = Arc::new(self.envelope);
        let bags = self.secrets.bags(self.op, self.slot, self.secret);
        self.op.call(input, bags, credentials)
    }
}

fn body(bytes: &[u8]) -> Envelope {
    let mut envelope = Envelope::default();
    envelope.receive_body(Value::from("as received"), Arc::from(bytes));
    envelope
}

fn document(json: &str) -> Envelope {
    Envelope::new(Value::parse(json.as_bytes()).unwrap()).unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn one(output: OpOutput) -> (String, Value) {
    let [(path, value)]: [(Path, Value); 1] = output.fields.try_into().unwrap();
    (path.to_string(), value)
}

fn vectors(path: &str) -> Vec<Json> {
    serde_json::from_str::<Json>(&text(path)).unwrap()["cases"].as_array().unwrap().clone()
}

#[test]
fn they_are_small_of_one_page_and_tell_nothing_of_the_machine() {
    let ops = embedded();
    assert_eq!(ops.len(), 14);
    for (builtin, wasm) in &ops {
        // What signs one text is below 20 KB; the others take tokens, headers and URLs apart.
        let most = match builtin.file.split('.').next().unwrap() {
            "basic-auth-encode" | "hmac-sign" | "totp" => 20 << 10,
            "hmac-verify" => 25 << 10,
            "http-signature-verify" => 76 << 10,
            _ => 55 << 10,
        };
        assert!(wasm.len() < most, "{}: {} bytes", builtin.file, wasm.len());
        for trace in [&b"/home/"[..], b"/root", b"/usr/", b"/work", b".cargo", b"registry", b"rustlib"] {
            let found = wasm.windows(trace.len()).any(|window| window == trace);
            assert!(!found, "{} holds {:?}", builtin.file, String::from_utf8_lossy(trace));
        }
        let one_page = Limits { memory: 65_536, ..Limits::default() };
        let op = sandbox(one_page).load(builtin.name.clone(), wasm, Trust::Builtin).unwrap();
        assert_eq!(op.manifest().unwrap().name, builtin.name);
        // A key pair signs in milliseconds.
        let long = matches!(builtin.name.as_str(), "jwt-sign" | "http-signature");
        assert_eq!(op.inline(), !long, "{}", builtin.file);
        // A build is shown secrets, or its name says that it has handles.
        assert_eq!(op.reveals(), !builtin.file.contains(".use."), "{}", builtin.file);
        match dialled(&op, 0) {
            Err(Error::NothingToReveal) => assert!(op.reveals(), "{}", builtin.file),
            Err(Error::Failed { code, message }) => {
                assert!(!op.reveals() && op.uses_keys(), "{}", builtin.file);
                assert_eq!(code, format!("{}-err", builtin.name));
                assert!(message.starts_with(&format!("{}: missing ", builtin.name)), "{message}");
            }
            other => panic!("{}: {other:?}", builtin.file),
        }
    }
}

#[test]
fn hmac_sign_agrees_with_rfc_4231() {
    let secrets = Secrets::new();
    let mut checked = 0;
    let ops = ["hmac-sign.wasm", "hmac-sign.use.wasm"].map(|file| built(file, Limits::default()));
    let cases = vectors("tests/vectors/hmac/rfc4231.json");
    for (op, case) in ops.as_flattened().iter().flat_map(|op| cases.iter().map(move |case| (op, case))) {
        let of = |field: &str| case[field].as_str().unwrap();
        let (key, data) = (unhex(of("key")), unhex(of("data")));
        for algorithm in ["sha256", "sha512"] {
            let params = format!(r#"{{"algorithm":"{algorithm}"}}"#);
            let call = Case {
                op,
                secrets: &secrets,
                slot: "key",
                secret: &key,
                params: &params,
                envelope: body(&data),
            };
            let (path, mac) = one(call.call(&Credentials::new()).unwrap());
            assert_eq!(path, "_txc.computed.hmac");
            // Case 5 publishes the beginning only.
            assert!(mac.as_str().unwrap().starts_with(of(algorithm)), "case {}, {algorithm}", case["case"]);
            checked += 1;
        }
    }
    assert_eq!(checked, 56);
}

/// Weakness H16: there, a path of the ops that sign is literal, without `@`.
#[test]
fn hmac_sign_takes_the_rule_s_parameters() {
    let (op, secrets) = (builtin("hmac-sign"), Secrets::new());
    let sign = |params: &str, envelope: Envelope| {
        let case = Case { op: &op, secrets: &secrets, slot: "key", secret: b"Jefe", params, envelope };
        case.call(&Credentials::new()).map(one)
    };
    let what = "what do ya want for nothing?";
    let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    let at = |place: &str, envelope: &str, mac: &str| {
        let params = format!(r#"{{"input_path":"{place}","output_path":"_txc.computed.stripe_sig"}}"#);
        let expected = ("_txc.computed.stripe_sig".to_owned(), Value::from(mac));
        assert_eq!(sign(&params, document(envelope)), Ok(expected), "{place}");
    };
    at("a.b", &format!(r#"{{"a":{{"b":"{what}"}}}}"#), hex);
    at(".a", &format!(r#"{{"a":"{what}"}}"#), hex);
    for place in ["@x", "@_txc.x", "_txc.x"] {
        at(place, &format!(r#"{{"_txc":{{"x":"{what}"}}}}"#), hex);
    }
    let encoded = sign(r#"{"encoding":"base64"}"#, body(what.as_bytes())).unwrap();
    assert_eq!(encoded.1, Value::from(base64));
    let placed = sign(r#"{"output_path":"@computed.s"}"#, body(what.as_bytes())).unwrap();
    assert_eq!(placed.0, "_txc.computed.s");
    // An object is signed as its raw text, a received one byte for byte.
    let compact = sign(r#"{"input_path":"a"}"#, document(r#"{"a":{"b": 1}}"#)).unwrap();
    assert_eq!(compact, sign("{}", body(br#"{"b":1}"#)).unwrap());
}

#[test]
fn hmac_sign_streams_what_is_larger_than_its_memory() {
    let (op, secrets) = (builtin("hmac-sign"), Secrets::new());
    let long = vec![b'a'; 1_000_000];
    let case = Case {
        op: &op,
        secrets: &secrets,
        slot: "key",
        secret: b"Jefe",
        params: "{}",
        envelope: body(&long),
    };
    let (_, mac) = one(case.call(&Credentials::new()).unwrap());
    // Computed with another implementation.
    assert_eq!(mac, Value::from(text("tests/vectors/hmac/million.txt").trim()));
}

#[test]
fn hmac_sign_says_what_is_wrong() {
    let (op, secrets) = (builtin("hmac-sign"), Secrets::new());
    let fails = |slot: &str, params: &str, message: &str| {
        let case = Case { op: &op, secrets: &secrets, slot, secret: b"Jefe", params, envelope: body(b"x") };
        let error = case.call(&Credentials::new()).unwrap_err();
        assert_eq!(error, Error::Failed { code: "hmac-sign-err".to_owned(), message: message.to_owned() });
        assert_eq!(error.failure().fault, Fault::OpFailed);
    };
    fails("other", "{}", "hmac-sign: missing secrets.key.secret in WITH");
    fails("key", r#"{"algorithm":"md5"}"#, "hmac-sign: unsupported algorithm \"md5\" (sha256|sha512)");
    fails("key", r#"{"algorithm":"SHA256"}"#, "hmac-sign: unsupported algorithm \"SHA256\" (sha256|sha512)");
    fails("key", r#"{"encoding":"b64"}"#, "hmac-sign: unsupported encoding \"b64\" (hex|base64)");
    // Not a MAC of nothing (R4).
    fails("key", r#"{"input_path":"nope"}"#, "hmac-sign: nothing to sign at input_path \"nope\"");
}

#[test]
fn basic_auth_agrees_with_rfc_7617_and_is_a_credential() {
    let (op, secrets) = (builtin("basic-auth-encode"), Secrets::new());
    let cases = vectors("tests/vectors/basic-auth/rfc7617.json");
    assert_eq!(cases.len(), 2);
    for case in cases {
        let of = |field: &str| case[field].as_str().unwrap();
        let params = format!(r#"{{"user":"{}"}}"#, of("user"));
        let password = of("password").as_bytes();
        let call = Case {
            op: &op,
            secrets: &secrets,
            slot: "password",
            secret: password,
            params: &params,
            envelope: body(b""),
        };
        let credentials = Credentials::new();
        let output = call.call(&credentials).unwrap();
        assert!(!format!("{output:?}").contains(of("encoded")));
        let (path, value) = one(output);
        assert_eq!(path, "_txc.computed.basic_auth");
        let Value::Sealed(sealed) = value else { panic!("not sealed: {value:?}") };
        let id = sealed.credentials().next().unwrap();
        assert_eq!(credentials.with(id, <[u8]>::to_vec).unwrap(), of("encoded").as_bytes());
        assert_eq!(credentials.parents(id).unwrap()[0].as_str(), "THE_SECRET");
    }
}

#[test]
fn basic_auth_says_what_is_wrong() {
    let (op, secrets) = (builtin("basic-auth-encode"), Secrets::new());
    let fails = |slot: &str, params: &str, message: &str| {
        let case = Case { op: &op, secrets: &secrets, slot, secret: b"pw", params, envelope: body(b"x") };
        let error = case.call(&Credentials::new()).unwrap_err();
        let code = "basic-auth-encode-err".to_owned();
        assert_eq!(error, Error::Failed { code, message: message.to_owned() });
    };
    fails("other", r#"{"user":"u"}"#, "basic-auth-encode: missing secrets.password.secret in WITH");
    fails("password", "{}", "basic-auth-encode: missing user in WITH");
    fails("password", r#"{"user":""}"#, "basic-auth-encode: missing user in WITH");
    fails("password", r#"{"user":"a:b"}"#, "basic-auth-encode: user must not contain a colon");
}
