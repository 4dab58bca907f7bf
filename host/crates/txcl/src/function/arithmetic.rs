//! Arithmetic: what has no fraction is whole, and exact up to 2^53; the rest is floats.

use model::{EXACT, Value, exact};

use super::arguments::{Arguments, unfit, value};
use crate::clock::{Clock, Reason};

#[derive(Clone, Copy)]
enum Operand {
    Whole(i64),
    Float(f64),
}

impl Operand {
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the result is a float, as there")]
    fn float(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Float(n) => n,
        }
    }
}

pub(super) fn add(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    calculate(arguments, |a, b| a + b, |a, b| a + b)
}

pub(super) fn sub(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    calculate(arguments, |a, b| a - b, |a, b| a - b)
}

pub(super) fn mul(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    calculate(arguments, |a, b| a * b, |a, b| a * b)
}

pub(super) fn div(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    match (operand(arguments, 0)?, operand(arguments, 1)?) {
        (_, divisor) if divisor.float() == 0.0 => Err(Reason::failed("division by zero")),
        (Operand::Whole(a), Operand::Whole(b)) if a.checked_rem(b) == Some(0) => {
            whole(i128::from(a) / i128::from(b))
        }
        (a, b) => finite(a.float() / b.float()),
    }
}

/// What is left of a division of whole numbers; it has the sign of the first.
pub(super) fn modulo(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let integer = |at| match operand(arguments, at)? {
        Operand::Whole(n) if n.unsigned_abs() <= EXACT.unsigned_abs() => Ok(n),
        Operand::Whole(_) | Operand::Float(_) => Err(Reason::failed("expected whole numbers up to 2^53")),
    };
    let (a, b) = (integer(0)?, integer(1)?);
    a.checked_rem(b).map(Value::from).ok_or_else(|| Reason::failed("division by zero"))
}

fn calculate(
    arguments: &Arguments<'_>,
    exactly: fn(i128, i128) -> i128,
    about: fn(f64, f64) -> f64,
) -> Result<Value, Reason> {
    match (operand(arguments, 0)?, operand(arguments, 1)?) {
        // No two whole numbers of 64 bits have a sum, difference or product beyond 128.
        (Operand::Whole(a), Operand::Whole(b)) => whole(exactly(a.into(), b.into())),
        (a, b) => finite(about(a.float(), b.float())),
    }
}

/// A number, or a text that is one.
fn operand(arguments: &Arguments<'_>, at: usize) -> Result<Operand, Reason> {
    let argument = value(arguments, at);
    let (whole, float) = match argument {
        Value::Number(n) => (n.as_i64(), n.as_f64()),
        Value::String(text) if decimal(text) => (text.parse().ok(), text.parse().ok()),
        Value::String(_) => return Err(Reason::failed("expected a number, got a text that is none")),
        other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Sealed(_)) => {
            return Err(unfit("a number", other));
        }
    };
    let finite = float.filter(|n| n.is_finite());
    match (whole.or_else(|| finite.and_then(exact)), finite) {
        (Some(whole), _) => Ok(Operand::Whole(whole)),
        (None, Some(float)) => Ok(Operand::Float(float)),
        (None, None) => Err(Reason::failed("expected a number, got one out of range")),
    }
}

/// Digits, sign, point and exponent: not the words that are floats too, `inf` and `nan`.
fn decimal(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.parse::<f64>().is_ok()
}

fn whole(n: i128) -> Result<Value, Reason> {
    match i64::try_from(n) {
        Ok(n) if n.unsigned_abs() <= EXACT.unsigned_abs() => Ok(Value::from(n)),
        #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the result is a float")]
        _ => finite(n as f64),
    }
}

/// A float without fraction is written as the whole number that it is: who reads `2050.0` where
/// cents are counted may refuse it.
fn finite(n: f64) -> Result<Value, Reason> {
    match exact(n) {
        Some(whole) => Ok(Value::from(whole)),
        None if n.is_finite() => Ok(Value::from(n)),
        None => Err(Reason::failed("the result is out of range")),
    }
}
