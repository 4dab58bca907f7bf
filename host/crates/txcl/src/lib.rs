//! Rule text to checked rules, and their evaluation; pure.
#![forbid(unsafe_code)]

mod diagnostic;
mod control;
mod exec;
mod rule;
mod compile;

pub use compile::{check, compile};
pub use control::{author_may_write, reply_may_write};
pub use diagnostic::{Color, Diagnostic, Diagnostics, Mode, RuleFile, Severity};
pub use exec::Exec;
pub use rule::{Clock, Prepared, Rule};
