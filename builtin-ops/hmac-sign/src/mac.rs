//! The MAC and its text.

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};
use txco_op::Message;

/// The hash function to build on.
#[derive(Clone, Copy)]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// HMAC of the whole message, read piece by piece.
    pub(crate) fn mac(self, key: &[u8], message: &impl Message) -> Vec<u8> {
        match self {
            Self::Sha256 => of::<Hmac<Sha256>>(key, message),
            Self::Sha512 => of::<Hmac<Sha512>>(key, message),
        }
    }
}

fn of<M: Mac + KeyInit>(key: &[u8], message: &impl Message) -> Vec<u8> {
    // HMAC takes keys of any length, so there is always one.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    message.for_each_piece(|piece| mac.update(piece));
    mac.finalize().into_bytes().to_vec()
}

/// How the MAC is written.
#[derive(Clone, Copy)]
pub(crate) enum Encoding {
    Hex,
    Base64,
}

impl Encoding {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "hex" => Some(Self::Hex),
            "base64" => Some(Self::Base64),
            _ => None,
        }
    }

    pub(crate) fn text(self, mac: &[u8]) -> String {
        match self {
            Self::Hex => hex(mac),
            Self::Base64 => Base64::encode_string(mac),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}
