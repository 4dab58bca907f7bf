//! The Protobuf wire format, as far as OTLP needs it here.

use std::time::SystemTime;

/// A message in the Protobuf wire format, as far as it is needed here.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub(super) fn number(&mut self, field: u64, number: u64) -> &mut Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    /// `fixed64` and `double`.
    pub(super) fn fixed(&mut self, field: u64, bits: u64) -> &mut Self {
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&bits.to_le_bytes());
        self
    }

    pub(super) fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn text(&mut self, field: u64, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn message(&mut self, field: u64, message: &Self) -> &mut Self {
        self.bytes(field, &message.0)
    }
}

/// `KeyValue` with a text.
pub(super) fn key_value(name: &str, value: &str) -> Message {
    let (mut any_value, mut key_value) = (Message::default(), Message::default());
    any_value.text(1, value);
    key_value.text(1, name).message(2, &any_value);
    key_value
}

/// `Resource`.
pub(super) fn resource(attributes: &[(String, String)]) -> Message {
    let mut resource = Message::default();
    for (name, value) in attributes {
        resource.message(1, &key_value(name, value));
    }
    resource
}

/// `InstrumentationScope`.
pub(super) fn scope() -> Message {
    let mut scope = Message::default();
    scope.text(1, "txco").text(2, env!("CARGO_PKG_VERSION"));
    scope
}

/// A moment as OTLP counts it.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_varints() {
        for (number, bytes) in [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2])] {
            let mut message = Message::default();
            message.varint(number);
            assert_eq!(message.0, bytes);
        }
    }
}
