//! The host of a component: the chassis, through the functions it imports.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::txco::op::{call, log, random, secrets};
use crate::{SecretError, Value};

pub(crate) use call::Blob;

/// The call that is running: there is one in the life of an instance.
pub(crate) struct Host;

impl Host {
    pub(crate) fn request_id(&self) -> String {
        call::request_id()
    }

    pub(crate) fn stack(&self) -> String {
        call::stack()
    }

    pub(crate) fn scope(&self) -> u32 {
        call::scope()
    }

    pub(crate) fn rule(&self) -> String {
        call::op_name()
    }

    pub(crate) fn now(&self) -> u64 {
        call::now()
    }

    pub(crate) fn param(&self, name: &str) -> Option<Value> {
        call::param(name)
    }

    pub(crate) fn input(&self) -> String {
        call::input()
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        call::get(path)
    }

    pub(crate) fn bytes(&self, path: &str) -> Option<Blob> {
        call::bytes(path)
    }

    pub(crate) fn versions(&self, slot: &str) -> u32 {
        secrets::versions(slot)
    }

    pub(crate) fn reveal(&self, slot: &str, index: u32) -> Result<Vec<u8>, SecretError> {
        secrets::reveal(slot, index)
    }

    pub(crate) fn random(&self, len: u32) -> Vec<u8> {
        random::bytes(len)
    }

    pub(crate) fn log(&self, line: &str) {
        log::write(line);
    }
}
