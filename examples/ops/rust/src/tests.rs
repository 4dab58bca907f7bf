//! The op as the chassis runs it, natively; `cargo test` and `cargo test --features use-keys`.

use txco_op::prelude::*;

use crate::sign;

/// RFC 4231, case 2.
const MAC: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

fn host() -> FakeHost {
    FakeHost::new().secret("key", "Jefe").body("what do ya want for nothing?")
}

#[test]
fn it_signs_the_body() {
    assert_eq!(host().run(sign).unwrap(), [Field::digest("@computed.mac", MAC)]);
}

#[test]
fn a_rule_can_name_what_is_signed_and_where_the_mac_goes() {
    let host = FakeHost::new().secret("key", "Jefe").value("order.note", "what do ya want for nothing?");
    let host = host.param("input_path", "order.note").param("output_path", "order.mac");
    assert_eq!(host.run(sign).unwrap(), [Field::digest("order.mac", MAC)]);
}

#[test]
fn its_failures_are_exact() {
    for (host, message) in [
        (FakeHost::new().body("x"), "my-signer: missing secrets.key.secret in WITH"),
        (FakeHost::new().secret("key", "k"), "my-signer: nothing to sign at input_path"),
    ] {
        let failure = host.run(sign).unwrap_err();
        assert_eq!((failure.code(), failure.message()), ("my-signer-err", message));
    }
}

/// A secret that is never revealed: the build with `use-keys` signs with it, the other cannot.
#[test]
fn a_secret_for_use_only_needs_the_build_with_handles() {
    let result = host().use_only("key").run(sign);
    if cfg!(feature = "use-keys") {
        assert_eq!(result.unwrap(), [Field::digest("@computed.mac", MAC)]);
    } else {
        let denied = "my-signer: the secret in secrets.key may not be revealed to it";
        assert_eq!(result.unwrap_err().message(), denied);
    }
}
