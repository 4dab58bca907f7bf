//! The op natively: RFC 7617 and every line it may fail with.

use txco_op::{Call, Class, Field, Message, Secret, SecretError, Value};

use crate::handle;

struct Scripted {
    user: Option<&'static str>,
    password: Result<&'static str, SecretError>,
}

struct Nothing;

impl Message for Nothing {
    fn read(&self, _: u64, _: u32) -> Vec<u8> {
        Vec::new()
    }
}

impl Call for Scripted {
    type Message = Nothing;

    fn param(&self, name: &str) -> Option<Value> {
        self.user.filter(|_| name == "user").map(|user| Value::Text(user.to_owned()))
    }

    fn bytes(&self, _: &str) -> Option<Nothing> {
        None
    }

    fn versions(&self, slot: &str) -> u32 {
        u32::from(slot == "password" && !matches!(self.password, Err(SecretError::NoSuchSlot)))
    }

    fn reveal(&self, slot: &str, index: u32) -> Result<Secret, SecretError> {
        assert_eq!((slot, index), ("password", 0));
        self.password.map(|password| Secret::new(password.as_bytes().to_vec()))
    }
}

#[test]
fn it_encodes_what_the_rfc_encodes() {
    for (user, password, encoded) in
        [("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), ("test", "123£", "dGVzdDoxMjPCow==")]
    {
        let fields = handle(&Scripted { user: Some(user), password: Ok(password) }).ok().unwrap();
        let [field]: [Field; 1] = fields.try_into().ok().unwrap();
        assert!(matches!(field.class, Class::Credential));
        assert_eq!(
            (field.path.as_str(), field.value.into_text().as_str()),
            ("_txc.computed.basic_auth", encoded)
        );
    }
}

#[test]
fn its_failures_are_exact() {
    let message = |user, password| {
        let failure = handle(&Scripted { user, password }).err().unwrap();
        assert_eq!(failure.code, "basic-auth-encode-err");
        failure.message
    };
    let none = Err(SecretError::NoSuchSlot);
    assert_eq!(message(Some("u"), none), "basic-auth-encode: missing secrets.password.secret in WITH");
    assert_eq!(message(None, Ok("p")), "basic-auth-encode: missing user in WITH");
    assert_eq!(message(Some("a:b"), Ok("p")), "basic-auth-encode: user must not contain a colon");
    let denied = "basic-auth-encode: the secret in secrets.password may not be revealed to it";
    assert_eq!(message(Some("u"), Err(SecretError::Denied)), denied);
}
