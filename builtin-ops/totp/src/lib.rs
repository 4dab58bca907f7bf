//! `txco://totp`: the one-time password of this moment (RFC 6238).
#![cfg_attr(target_arch = "wasm32", no_std)]

use txco_op::prelude::*;

#[derive(Params)]
struct Params {
    #[param(default = Mac::Sha1)]
    algorithm: Mac,
    #[param(default = Digits::Six)]
    digits: Digits,
    #[param(default = 30)]
    period: u32,
    #[param(default = Encoding::Base32)]
    key_encoding: Encoding,
}

#[derive(FromParam)]
enum Mac {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(FromParam, Clone, Copy)]
enum Digits {
    #[param(name = "6")]
    Six,
    #[param(name = "7")]
    Seven,
    #[param(name = "8")]
    Eight,
}

#[derive(Output)]
struct Password {
    #[output(path = "@computed.totp", param = "output_path", class = credential)]
    totp: String,
}

#[op]
fn totp(call: &Call, params: Params) -> Result<Password, Failure> {
    let key = call.key("key", params.key_encoding)?;
    let algorithm = match params.algorithm {
        Mac::Sha1 => Algorithm::HmacSha1,
        Mac::Sha256 => Algorithm::HmacSha256,
        Mac::Sha512 => Algorithm::HmacSha512,
    };
    let step = call.now_seconds().checked_div(u64::from(params.period)).ok_or("period must be 1 or more")?;
    let mac = key.sign(algorithm, message![&step.to_be_bytes()])?;
    Ok(Password { totp: password(&mac, params.digits).ok_or("a MAC that is too short")? })
}

/// RFC 4226, section 5.3: 31 bits from where the last byte points to, in decimal.
fn password(mac: &[u8], digits: Digits) -> Option<String> {
    let from = usize::from(mac.last()? & 15);
    let word: [u8; 4] = mac.get(from..from + 4)?.try_into().ok()?;
    let (width, most) = match digits {
        Digits::Six => (6, 1_000_000),
        Digits::Seven => (7, 10_000_000),
        Digits::Eight => (8, 100_000_000),
    };
    let number = decimal(u64::from((u32::from_be_bytes(word) & 0x7fff_ffff) % most));
    Some(concat(&[&"0".repeat(width - number.len()), &number]))
}

#[cfg(test)]
mod tests;
