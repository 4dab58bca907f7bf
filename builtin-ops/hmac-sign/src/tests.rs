//! The op natively: its logic against RFC 4231 and every line it may fail with.

use txco_op::{Call, Class, Failure, Field, Message, Secret, SecretError, Value};

use crate::handle;

struct Scripted {
    params: Vec<(&'static str, &'static str)>,
    message: Option<Vec<u8>>,
    key: Result<Vec<u8>, SecretError>,
}

struct Bytes(Vec<u8>);

impl Message for Bytes {
    fn read(&self, offset: u64, max: u32) -> Vec<u8> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        // Shorter than asked for, as a host may.
        rest[..rest.len().min(max as usize).min(7)].to_vec()
    }
}

impl Call for Scripted {
    type Message = Bytes;

    fn param(&self, name: &str) -> Option<Value> {
        self.params.iter().find(|(n, _)| *n == name).map(|(_, text)| Value::Text((*text).to_owned()))
    }

    fn bytes(&self, path: &str) -> Option<Bytes> {
        assert_eq!(path, self.params.iter().find(|(n, _)| *n == "input_path").map_or("body", |(_, p)| p));
        self.message.clone().map(Bytes)
    }

    fn versions(&self, slot: &str) -> u32 {
        u32::from(slot == "key" && !matches!(self.key, Err(SecretError::NoSuchSlot)))
    }

    fn reveal(&self, slot: &str, index: u32) -> Result<Secret, SecretError> {
        assert_eq!((slot, index), ("key", 0));
        self.key.clone().map(Secret::new)
    }
}

fn call(params: &[(&'static str, &'static str)]) -> Scripted {
    Scripted {
        params: params.to_vec(),
        message: Some(b"what do ya want for nothing?".to_vec()),
        key: Ok(b"Jefe".to_vec()),
    }
}

fn field(result: Result<Vec<Field>, Failure>) -> (String, String) {
    let [field]: [Field; 1] = result.ok().unwrap().try_into().ok().unwrap();
    assert!(matches!(field.class, Class::Digest));
    (field.path, field.value.into_text())
}

fn message(call: &Scripted) -> String {
    let failure = handle(call).err().unwrap();
    assert_eq!(failure.code, "hmac-sign-err");
    failure.message
}

/// RFC 4231, case 2; all cases go through the real guest in the host's tests.
#[test]
fn it_signs_what_the_rfc_signs() {
    let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(field(handle(&call(&[]))), ("_txc.computed.hmac".to_owned(), sha256.to_owned()));
    let sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
                  caeab1a34d4a6b4b636e070a38bce737";
    assert_eq!(field(handle(&call(&[("algorithm", "sha512")]))).1, sha512);
    let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    let placed = call(&[("encoding", "base64"), ("output_path", "@a"), ("input_path", "a.b")]);
    assert_eq!(field(handle(&placed)), ("@a".to_owned(), base64.to_owned()));
}

#[test]
fn its_failures_are_exact() {
    let missing = Scripted { key: Err(SecretError::NoSuchSlot), ..call(&[]) };
    assert_eq!(message(&missing), "hmac-sign: missing secrets.key.secret in WITH");
    let denied = Scripted { key: Err(SecretError::Denied), ..call(&[]) };
    assert_eq!(message(&denied), "hmac-sign: the secret in secrets.key may not be revealed to it");
    assert_eq!(
        message(&call(&[("algorithm", "sha1")])),
        "hmac-sign: unsupported algorithm \"sha1\" (sha256|sha512)"
    );
    assert_eq!(message(&call(&[("encoding", "x")])), "hmac-sign: unsupported encoding \"x\" (hex|base64)");
    let nothing = Scripted { message: None, ..call(&[("input_path", "x.y")]) };
    assert_eq!(message(&nothing), "hmac-sign: nothing to sign at input_path \"x.y\"");
}
