//! Structured fields (RFC 8941), as far as signatures write them.

use alloc::string::String;

/// A text between quotes; `None` when it has characters that cannot stand there.
#[must_use]
pub fn string(text: &str) -> Option<String> {
    let mut made = String::with_capacity(text.len() + 2);
    made.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => made.extend(['\\', character]),
            ' '..='~' => made.push(character),
            _ => return None,
        }
    }
    made.push('"');
    Some(made)
}

/// Whether a text can name a member of a dictionary.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase() || first == '*') && text.bytes().all(inside)
}
