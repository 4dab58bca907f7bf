//! The Component Model's canonical ABI, over the one memory of a module: how the contract's
//! values lie there.
//!
//! All that a guest says of its memory, where a text is and how long, is checked against the
//! memory before it is used; what is not right ends the call with [`Broken`].

use std::ops::Range;

use wasmtime::{Memory, TypedFunc};

use crate::Over;
use crate::wire::{ClassOut, FailureOut, Field, MOST_FIELDS, Returned, ValueOut};

/// The guest broke the rules of the ABI.
#[derive(Debug, thiserror::Error)]
#[error("not as the canonical ABI has it")]
pub(crate) struct Broken;

/// The bytes of a field: path, class, value (guest-sdk/wit/op.wit).
const FIELD: u32 = 24;
/// The bytes of a piece of a message.
const PIECE: u32 = 12;

/// The ways into a module's memory.
pub(crate) struct Wires {
    pub(crate) memory: Memory,
    pub(crate) realloc: TypedFunc<(u32, u32, u32, u32), u32>,
}

/// A piece of a message; a blob by its number.
pub(crate) enum PieceOut<'a> {
    Bytes(&'a [u8]),
    Blob(u32),
}

/// Some bytes of the guest's.
pub(crate) fn bytes(memory: &[u8], at: u32, len: u32) -> Result<&[u8], Broken> {
    memory.get(span(at, len)?).ok_or(Broken)
}

/// A text of the guest's.
pub(crate) fn text(memory: &[u8], at: u32, len: u32) -> Result<&str, Broken> {
    str::from_utf8(bytes(memory, at, len)?).map_err(|_| Broken)
}

/// The pieces of a message, where they lie.
pub(crate) fn pieces(memory: &[u8], at: u32, len: u32) -> Result<Vec<PieceOut<'_>>, Broken> {
    let all = bytes(memory, aligned(at)?, len.checked_mul(PIECE).ok_or(Broken)?)?;
    let piece = |piece: &[u8]| match byte(piece, 0)? {
        0 => Ok(PieceOut::Bytes(bytes(memory, word(piece, 4)?, word(piece, 8)?)?)),
        1 => Ok(PieceOut::Blob(word(piece, 4)?)),
        _ => Err(Broken),
    };
    all.chunks_exact(PIECE as usize).map(piece).collect()
}

/// What `handle` returned, `most` bytes of it. Nothing is copied before it is known to fit.
pub(crate) fn returned(memory: &[u8], at: u32, most: usize) -> wasmtime::Result<Returned> {
    let result = memory.get(usize::try_from(aligned(at)?)?..).ok_or(Broken)?;
    let (first, second) = (word(result, 4)?, word(result, 8)?);
    let too_long = || wasmtime::Error::from(Over::Output(most));
    if byte(result, 0)? == 1 {
        let code = text(memory, first, second)?;
        let message = text(memory, word(result, 12)?, word(result, 16)?)?;
        if code.len() + message.len() > most {
            return Err(too_long());
        }
        return Ok(Err(FailureOut { code: code.to_owned(), message: message.to_owned() }));
    } else if byte(result, 0)? != 0 {
        return Err(Broken.into());
    }
    let count = usize::try_from(second)?;
    if count > MOST_FIELDS {
        return Err(too_long());
    }
    let fields = bytes(memory, aligned(first)?, second * FIELD)?;
    let mut left = most;
    let mut made = Vec::with_capacity(count);
    for field in fields.chunks_exact(FIELD as usize) {
        let path = text(memory, word(field, 0)?, word(field, 4)?)?;
        let value = text(memory, word(field, 16)?, word(field, 20)?)?;
        left = left.checked_sub(path.len() + value.len()).ok_or_else(too_long)?;
        let class = ClassOut::ALL.get(usize::from(byte(field, 8)?)).copied().ok_or(Broken)?;
        let value = match byte(field, 12)? {
            0 => ValueOut::Text(value.to_owned()),
            1 => ValueOut::Json(value.to_owned()),
            _ => return Err(Broken.into()),
        };
        made.push(Field { path: path.to_owned(), class, value });
    }
    Ok(Ok(made))
}

/// An address where a word may lie.
pub(crate) fn aligned(at: u32) -> Result<u32, Broken> {
    if at.is_multiple_of(4) { Ok(at) } else { Err(Broken) }
}

/// Some bytes of the guest's, to be written.
pub(crate) fn bytes_mut(memory: &mut [u8], at: u32, len: u32) -> Result<&mut [u8], Broken> {
    memory.get_mut(span(at, len)?).ok_or(Broken)
}

fn span(at: u32, len: u32) -> Result<Range<usize>, Broken> {
    let from = usize::try_from(at).map_err(|_| Broken)?;
    let to = from.checked_add(usize::try_from(len).map_err(|_| Broken)?).ok_or(Broken)?;
    Ok(from..to)
}

fn byte(bytes: &[u8], at: usize) -> Result<u8, Broken> {
    bytes.get(at).copied().ok_or(Broken)
}

fn word(bytes: &[u8], at: usize) -> Result<u32, Broken> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(Broken)?;
    Ok(u32::from_le_bytes(*word))
}
