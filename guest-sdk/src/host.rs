//! The chassis behind [`Call`].

use alloc::vec::Vec;

use crate::bindings::txco::op::{call, secrets};
use crate::{Call, Message, Secret, SecretError, Value};

/// The call that is running.
pub struct Host;

impl Call for Host {
    type Message = call::Blob;

    fn param(&self, name: &str) -> Option<Value> {
        call::param(name)
    }

    fn bytes(&self, path: &str) -> Option<call::Blob> {
        call::bytes(path)
    }

    fn versions(&self, slot: &str) -> u32 {
        secrets::versions(slot)
    }

    fn reveal(&self, slot: &str, index: u32) -> Result<Secret, SecretError> {
        secrets::reveal(slot, index).map(Secret::new)
    }
}

impl Message for call::Blob {
    fn read(&self, offset: u64, max: u32) -> Vec<u8> {
        Self::read(self, offset, max)
    }
}
