//! The value of a secret on its way in: from the terminal, a pipe or a file, never from the command line.

use std::fs::File;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::output::{Complaint, Console};
use super::prompt::read_whole;

/// The largest value that any chassis takes; this one may take less, and says so.
const MOST: usize = vault::MAX_VALUE_BYTES;
/// Below this a value in a reply can be masked only where it stands alone (R6).
const SHORT: usize = 8;

/// Reads the value for `name` and says on stderr how many bytes it has.
pub(super) fn read(
    console: &mut Console<'_>,
    name: &str,
    from_file: Option<&Path>,
) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    let value = take(console, &format!("value for {name}: "), from_file)?;
    if value.len() < SHORT {
        console.note(&format!(
            "warning: a value under {SHORT} bytes is masked in replies only where it stands alone"
        ));
    }
    Ok(value)
}

/// Reads a value, asked for with `prompt` when a person is there.
pub(super) fn take(
    console: &mut Console<'_>,
    prompt: &str,
    from_file: Option<&Path>,
) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    let (value, remark) = match from_file {
        Some(path) if path == Path::new("-") => as_it_comes(console)?,
        Some(path) => from_a_file(path)?,
        None if console.input.is_terminal() => {
            let value = console
                .input
                .hidden(prompt, MOST, console.err)
                .map_err(|e| Complaint::failed(e.to_string()))?;
            if value.is_empty() {
                return Err(Complaint::failed("empty secret"));
            }
            (value, "")
        }
        None => from_a_pipe(console)?,
    };
    if value.len() > MOST {
        return Err(Complaint::failed(format!(
            "the value is longer than {MOST} bytes, and no chassis stores more; keep it elsewhere, and a key to it here"
        )));
    }
    let plural = if value.len() == 1 { "byte" } else { "bytes" };
    console.note(&format!("received {} {plural}{remark}", value.len()));
    Ok(value)
}

/// Puts the value into a request: as text, or in base64 when it is no text.
pub(super) fn put(body: &mut Value, value: &[u8]) {
    let Value::Object(members) = body else { return };
    match std::str::from_utf8(value) {
        Ok(text) => members.insert("value".to_owned(), text.into()),
        Err(_) => members.insert("value_b64".to_owned(), STANDARD.encode(value).into()),
    };
}

/// All of a pipe, with what stands at its end.
fn as_it_comes(console: &mut Console<'_>) -> Result<(Zeroizing<Vec<u8>>, &'static str), Complaint> {
    if console.input.is_terminal() {
        return Err(Complaint::failed("--from-file - reads a pipe; leave it out to be asked for the value"));
    }
    let value = console.input.whole(MOST.saturating_add(1));
    let value = value.map_err(|e| Complaint::failed(format!("cannot read stdin: {e}")))?;
    if value.is_empty() {
        return Err(Complaint::failed("empty secret on stdin"));
    }
    Ok((value, ""))
}

fn from_a_file(path: &Path) -> Result<(Zeroizing<Vec<u8>>, &'static str), Complaint> {
    let cannot = |e: std::io::Error| Complaint::failed(format!("cannot read {}: {e}", path.display()));
    let mut file = File::open(path).map_err(cannot)?;
    let value = read_whole(&mut file, MOST).map_err(cannot)?;
    if value.is_empty() {
        return Err(Complaint::failed(format!("{} is empty", path.display())));
    }
    let remark = if value.ends_with(b"\n") {
        " (the newline at the end of the file is part of the value)"
    } else {
        ""
    };
    Ok((value, remark))
}

fn from_a_pipe(console: &mut Console<'_>) -> Result<(Zeroizing<Vec<u8>>, &'static str), Complaint> {
    let mut value = console
        .input
        .whole(MOST.saturating_add(2))
        .map_err(|e| Complaint::failed(format!("cannot read stdin: {e}")))?;
    let mut remark = "";
    if value.last() == Some(&b'\n') {
        value.pop();
        if value.last() == Some(&b'\r') {
            value.pop();
        }
        remark = " (one newline at the end dropped)";
    }
    if value.is_empty() {
        return Err(Complaint::failed("empty secret on stdin"));
    }
    Ok((value, remark))
}
