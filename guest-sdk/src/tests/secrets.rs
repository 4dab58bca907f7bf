//! Secrets in either way of delivery; the tests run with and without `use-keys`.

use crate::prelude::*;

const KEYS: bool = cfg!(feature = "use-keys");

fn mac(host: &FakeHost, encoding: Encoding) -> Result<String, String> {
    let key = host.call().mac_key("key", encoding);
    let mac = key.and_then(|key| key.hmac(Hash::Sha256, message!["what do ya want ", &b"for nothing?"[..]]));
    mac.map(|mac| hex(&mac)).map_err(|failure| failure.message().to_owned())
}

/// RFC 4231, case 2.
const JEFE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

#[test]
fn a_key_is_read_as_it_is_encoded() {
    for (value, encoding) in [
        ("Jefe", Encoding::Text),
        ("4a656665", Encoding::Hex),
        ("SmVmZQ==", Encoding::Base64),
        ("SmVmZQ", Encoding::Base64url),
        ("jjsw mzi=", Encoding::Base32),
        ("whsec_SmVmZQ==", Encoding::Whsec),
    ] {
        let host = FakeHost::new().secret("key", value);
        assert_eq!(mac(&host, encoding).as_deref(), Ok(JEFE), "{value}");
    }
}

#[test]
fn a_value_that_is_no_key_is_told_without_quoting_it() {
    let hex = "the secret in secrets.key is no such key: expected hexadecimal digits, two per byte";
    let whsec = "the secret in secrets.key is no such key: expected whsec_ and base64 after it";
    for (value, encoding, reason) in
        [("xyzzy", Encoding::Hex, hex), ("", Encoding::Hex, hex), ("SmVmZQ==", Encoding::Whsec, whsec)]
    {
        let host = FakeHost::new().secret("key", value);
        assert_eq!(mac(&host, encoding), Err(reason.to_owned()), "{value}");
    }
}

#[test]
fn what_the_grant_lacks_is_told() {
    let missing = Err("missing secrets.key.secret in WITH".to_owned());
    assert_eq!(mac(&FakeHost::new(), Encoding::Text), missing);
    let denied = if KEYS { "used" } else { "revealed to it" };
    let denied = denied.replace("used", "used by it");
    let host = FakeHost::new().secret("key", "k").denied("key");
    assert_eq!(mac(&host, Encoding::Text), Err(format!("the secret in secrets.key may not be {denied}")));
    // A secret for use only works by handle, and by handle alone.
    let host = FakeHost::new().secret("key", "Jefe").use_only("key");
    assert_eq!(mac(&host, Encoding::Text).is_ok(), KEYS);
    let key = host.call().key("key", Encoding::Text).unwrap();
    let message = message!["what do ya want for nothing?"];
    assert_eq!(hex(&key.sign(Algorithm::HmacSha256, message).unwrap()), JEFE);
}

#[test]
fn all_versions_are_keys_newest_first() {
    let host = FakeHost::new().secret("key", "new").retiring("key", "old");
    let call = host.call();
    let keys = call.mac_keys("key", Encoding::Text).unwrap();
    let made = |key: &MacKey| key.hmac(Hash::Sha1, message!["m"]).unwrap();
    let of = |value: &str| {
        let call = FakeHost::new().secret("key", value).call();
        made(&call.mac_key("key", Encoding::Text).unwrap())
    };
    assert_eq!(keys.iter().map(made).collect::<Vec<_>>(), [of("new"), of("old")]);
    assert!(keys.iter().any(|key| key.verify(Hash::Sha1, message!["m"], &of("old")).unwrap()));
    assert!(!keys.iter().any(|key| key.verify(Hash::Sha256, message!["m"], &of("old")).unwrap()));
    let none = FakeHost::new().call().mac_keys("key", Encoding::Text).err().unwrap();
    assert_eq!(none.message(), "missing secrets.key.secret in WITH");
    assert_eq!((call.versions("key"), call.versions("other")), (2, 0));
}

/// The example of "Deriving the signing key" in the manual of AWS Signature Version 4.
#[test]
fn keys_are_derived_in_steps() {
    let host = FakeHost::new().secret("key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let key = host.call().mac_key("key", Encoding::Text).unwrap();
    let derive =
        |key: MacKey, prefix: &[u8], step: &str| key.derive(Hash::Sha256, prefix, step.as_bytes()).unwrap();
    let region = derive(derive(key, b"AWS4", "20150830"), b"", "us-east-1");
    let made = derive(region, b"", "iam").hmac(Hash::Sha256, message!["aws4_request"]).unwrap();
    assert_eq!(hex(&made), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

#[test]
fn a_blob_in_a_message_counts_as_its_bytes() {
    let body = "x".repeat(40_000);
    let call = FakeHost::new().secret("key", "k").body(&body).call();
    let key = call.mac_key("key", Encoding::Text).unwrap();
    let blob = call.bytes("body").unwrap();
    let by_blob = key.hmac(Hash::Sha512, message!["a", &blob, "b"]).unwrap();
    assert_eq!(by_blob, key.hmac(Hash::Sha512, message![&["a", &body, "b"].concat()]).unwrap());
}

#[test]
fn a_handle_honours_what_the_secret_declares() {
    let call = FakeHost::new().secret("key", "4a656665").declares("key", Encoding::Hex).call();
    let key = call.key("key", Encoding::Declared).unwrap();
    assert_eq!(
        hex(&key.sign(Algorithm::HmacSha256, message!["what do ya want for nothing?"]).unwrap()),
        JEFE
    );
}

#[cfg(not(feature = "signatures"))]
#[test]
fn key_pairs_need_a_feature() {
    let call = FakeHost::new().secret("key", "k").call();
    let failure = call.key("key", Encoding::Text).unwrap().sign(Algorithm::Ed25519, message![]).unwrap_err();
    assert_eq!(
        failure.message(),
        "the secret in secrets.key is no such key: the fake host signs and verifies with key pairs only with \
         txco-op's feature `signatures`"
    );
}

#[cfg(not(feature = "use-keys"))]
#[test]
fn a_revealed_secret_is_its_bytes() {
    let call = FakeHost::new().secret("key", "new").retiring("key", [0xff]).call();
    assert_eq!(call.reveal("key").unwrap().expose_text(), Some("new"));
    let old = call.reveal_version("key", 1).unwrap();
    assert_eq!((old.expose(), old.expose_text()), (&[0xff][..], None));
    assert_eq!(call.reveal_version("key", 2).err().unwrap().message(), "missing secrets.key.secret in WITH");
}
