//! Regular expressions, compiled once at load, meaning what they mean to the Go chassis.

mod text;
mod sets;
mod go;

use regex::{Regex, RegexBuilder};

/// What a compiled pattern may take in memory.
const MAX_COMPILED: usize = 1 << 20;

/// Compiles a pattern in the dialect of Go's `regexp`, which is RE2's.
///
/// What Go refuses is refused: there it never matches. What the two engines read otherwise is
/// written for ours first: `\d \s \w \b`, which are ASCII there, everything inside of brackets,
/// counts, flags, names.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let written = go::translated(pattern)?;
    RegexBuilder::new(&written).size_limit(MAX_COMPILED).build().map_err(|e| {
        if let regex::Error::CompiledTooBig(limit) = e {
            return format!("it compiles to more than {limit} bytes");
        }
        // The last line of a syntax error is its reason; those before draw the pattern.
        let text = e.to_string();
        let last = text.lines().last().unwrap_or_default();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    })
}

#[cfg(test)]
mod tests;
