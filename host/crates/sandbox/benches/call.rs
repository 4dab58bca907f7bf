//! One sandboxed `hmac-sign` call beside the same HMAC computed natively, interleaved in one
//! run: prints the median of the rounds' ratios.
//!
//! Microseconds differ between machines and hours, ratios hardly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

extern crate txco_sandbox as sandbox;

use std::hint::black_box;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use model::{Envelope, Path, RequestId, SecretName, SecretRef, Slot, TenantSlug, Value};
use sandbox::measure::{Beside, Subject};
use sandbox::{CodeCache, Limits, Op, OpInput, Randomness, Sandbox, builtins};
use sha2::Sha256;
use store::{SecretAddress, Store};
use vault::{Caller, Credentials, MasterKey, OpBags, Origin, SecretValue, Vault, Wants};

const ROUNDS: u32 = 60;
const CALLS: u32 = 200;
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

fn main() {
    let sandbox = Sandbox::new(Limits::default(), CodeCache::Off).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), "bench", store::Options::default()).unwrap();
    let tenant = store.create_tenant(&TenantSlug::parse("acme").unwrap(), None).unwrap().id;
    let master = MasterKey::from_bytes(&mut (0..32).collect::<Vec<u8>>()).ok().unwrap();
    let (vault, _) = Vault::open(Arc::new(store), master).ok().unwrap();
    let secret = SecretName::parse("KEY").unwrap();
    let address = SecretAddress { tenant: &tenant, stack: None, name: &secret };
    vault.create(&address, None, None, SecretValue::new(KEY.to_vec()).unwrap()).unwrap();
    let slot = Slot::new(Path::parse("key").unwrap()).unwrap();
    let refs = [SecretRef { slot, name: secret, format: None }];
    let caller = Caller { tenant: &tenant, stack: None };

    for builtin in builtins().unwrap().into_iter().filter(|builtin| builtin.name.as_str() == "hmac-sign") {
        let op = sandbox.load_builtin(&builtin).unwrap();
        let how = if op.reveals() { "is shown the key" } else { "uses a handle" };
        println!("hmac-sign, sha256, {how}; {ROUNDS} rounds of {CALLS} calls each, medians:");
        compare(&op, &|| {
            let accepts_retiring = |slot: &Slot| op.accepts_retiring(slot);
            let wants =
                Wants { reveal: op.reveals(), keys: op.uses_keys(), accepts_retiring: &accepts_retiring };
            vault.pack_for_op(&caller, op.reference(), Origin::Builtin, &wants, &refs).ok().unwrap()
        });
    }
}

/// Calls of `op` beside native work, for bodies of several sizes.
fn compare(op: &Op, prepare: &(dyn Fn() -> OpBags + Sync)) {
    for size in [100, 1 << 10, 64 << 10, 1 << 20] {
        let body: Arc<[u8]> = Arc::from(vec![b'x'; size]);
        let input = input(&body);
        let calls = if size > 1 << 15 { 10 } else { CALLS };
        let credentials = Credentials::new();
        let subject = Subject {
            prepare,
            call: &|bags| call(op, &input, bags, &credentials),
            native: &|| drop(black_box(native(black_box(&body)))),
        };
        let Beside { ratio, native, call } = subject.beside(ROUNDS, calls);
        let faults = subject.faults(calls * 10);
        println!(
            "{size:>8} bytes: {ratio:5.1} x native ({call:?} against {native:?}), page faults: {faults:?}"
        );
        let (one, two) = (subject.throughput(1, 5, calls * 10), subject.throughput(2, 5, calls * 10));
        println!("{one:?} {two:?}");
    }
}

/// The same work without walls: the HMAC, its text, and a field to put it in.
fn native(body: &[u8]) -> Vec<(Path, Value)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    vec![(Path::parse_sugared("_txc.computed.hmac").unwrap(), Value::from(hex))]
}

fn call(op: &Op, input: &OpInput, bags: OpBags, credentials: &Credentials) {
    black_box(op.call(input.clone(), bags, credentials).unwrap());
}

fn input(body: &Arc<[u8]>) -> OpInput {
    let mut envelope = Envelope::default();
    envelope.receive_body(Value::from("as received"), Arc::clone(body));
    OpInput {
        request: RequestId::mint().unwrap(),
        stack: "bench".to_owned(),
        scope: 100,
        rule: "sign".to_owned(),
        now_millis: 0,
        params: Arc::new(Value::parse(br#"{"algorithm":"sha256","input_path":"body"}"#).unwrap()),
        envelope: Arc::new(envelope),
        randomness: Randomness::System,
    }
}
