//! The cipher against vectors made by another implementation.

use serde_json::Value;

use super::*;
use crate::context::Context;
use model::Policy;
use store::{AadScheme, KeyId};

fn vectors() -> Vec<Value> {
    let text = include_str!("../../../../../tests/vectors/aead/sealed-values.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    vectors.as_array().unwrap().clone()
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    let hex = vector[field].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn context(vector: &Value) -> Context<'_> {
    Context {
        tenant_id: text(vector, "tenant_id"),
        secret_id: text(vector, "secret_id"),
        version_no: vector["version_no"].as_u64().unwrap().try_into().unwrap(),
        name: text(vector, "name"),
        stack: text(vector, "stack"),
        key_encoding: vector["key_encoding"].as_str().unwrap_or("text"),
        policy: vector["policy"].as_str().map(|text| text.parse::<Policy>().unwrap().digest()),
        scheme: match vector["scheme"].as_u64().unwrap() {
            1 => AadScheme::One { key_version: vector["key_version"].as_i64().unwrap(), key_id: None },
            2 => AadScheme::Two { key_id: KeyId::parse(text(vector, "key_id")).unwrap() },
            other => panic!("scheme {other}"),
        },
    }
}

/// Sealing gives exactly these bytes and opening gives the value back: a row sealed today
/// opens forever.
#[test]
fn frozen_rows_seal_and_open() {
    let mut seen = [0, 0];
    for vector in vectors() {
        let context = context(&vector);
        assert_eq!(context.value_aad(), bytes(&vector, "value_aad"), "{}", vector["about"]);
        assert_eq!(context.dek_aad(), bytes(&vector, "dek_aad"), "{}", vector["about"]);
        let master = Cipher::new(&bytes(&vector, "master_key")).unwrap();
        let dek = Cleartext::copy_of(&bytes(&vector, "dek"));
        let value = Cleartext::copy_of(text(&vector, "plaintext").as_bytes());
        let nonce: [u8; 12] = bytes(&vector, "nonce").try_into().unwrap();
        let dek_nonce: [u8; 12] = bytes(&vector, "dek_nonce").try_into().unwrap();

        let sealed = Cipher::of(&dek).unwrap().seal_with(nonce, &context.value_aad(), &value).unwrap();
        assert_eq!(sealed.ciphertext, bytes(&vector, "ciphertext"), "{}", vector["about"]);
        let wrapped = master.seal_with(dek_nonce, &context.dek_aad(), &dek).unwrap();
        assert_eq!(wrapped.ciphertext, bytes(&vector, "wrapped_dek"), "{}", vector["about"]);

        let dek = master.open(&dek_nonce, &context.dek_aad(), &wrapped.ciphertext).ok().unwrap();
        let opened =
            Cipher::of(&dek).unwrap().open(&nonce, &context.value_aad(), &sealed.ciphertext).ok().unwrap();
        assert_eq!(opened.expose(), value.expose());
        seen[usize::try_from(vector["scheme"].as_u64().unwrap()).unwrap() - 1] += 1;
    }
    assert!(seen[0] >= 1 && seen[1] >= 3, "{seen:?}");
}

#[test]
fn any_flipped_bit_any_cut_and_any_other_context_is_not_authentic() {
    let cipher = Cipher::new(&[7; 16].iter().chain(&[9; 16]).copied().collect::<Vec<u8>>()).unwrap();
    let sealed = cipher.seal(b"context", &Cleartext::copy_of(b"value")).unwrap();
    assert!(cipher.open(&sealed.nonce, b"context", &sealed.ciphertext).is_ok());
    for bit in 0..sealed.ciphertext.len() * 8 {
        let mut altered = sealed.ciphertext.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(cipher.open(&sealed.nonce, b"context", &altered).is_err(), "bit {bit}");
    }
    for len in 0..sealed.ciphertext.len() {
        assert!(cipher.open(&sealed.nonce, b"context", &sealed.ciphertext[..len]).is_err(), "cut to {len}");
    }
    assert!(cipher.open(&sealed.nonce, b"contexu", &sealed.ciphertext).is_err());
    assert!(cipher.open(&[0; 12], b"context", &sealed.ciphertext).is_err());
}

#[test]
fn nonces_are_fresh() {
    let cipher = Cipher::new(&[7; 32]).unwrap();
    let value = Cleartext::copy_of(b"value");
    let nonces: std::collections::HashSet<_> =
        (0..1000).map(|_| cipher.seal(b"", &value).unwrap().nonce).collect();
    assert_eq!(nonces.len(), 1000);
}
