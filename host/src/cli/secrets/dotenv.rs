//! Names and values of a dotenv file, byte for byte as it means them; nothing is expanded.

use model::SecretName;
use zeroize::Zeroizing;

/// One assignment.
pub(super) struct Entry {
    /// The name.
    pub(super) name: SecretName,
    /// The value, wiped when dropped.
    pub(super) value: Zeroizing<Vec<u8>>,
    /// The line it begins on.
    line: usize,
}

/// What is wrong with a file, by line; never repeats any of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    line: usize,
    what: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Reads a file: `NAME=value`, `export NAME=value`, `#` comments. A bare value ends at ` #`
/// or with its line and loses the blanks around it; one in single quotes stands as it is; one
/// in double quotes knows `\n`, `\r`, `\t`, `\"`, `\\` and `\$`. Quoted ones may have lines.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Entry>, Wrong> {
    let mut reader = Reader { rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text), line: 1 };
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        reader.skip(|byte| byte.is_ascii_whitespace());
        match reader.rest.first() {
            None => return Ok(entries),
            Some(b'#') => reader.skip(|byte| byte != b'\n'),
            Some(_) => {
                let entry = reader.assignment()?;
                if let Some(first) = entries.iter().find(|known| known.name == entry.name) {
                    let what = format!("{} stands on line {} already", entry.name, first.line);
                    return Err(Wrong { line: entry.line, what });
                }
                entries.push(entry);
            }
        }
    }
}

struct Reader<'t> {
    rest: &'t [u8],
    line: usize,
}

impl<'t> Reader<'t> {
    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        let end = self.rest.iter().position(|byte| !wanted(*byte)).unwrap_or(self.rest.len());
        self.take(end);
    }

    fn take(&mut self, count: usize) -> &'t [u8] {
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.line += taken.iter().filter(|byte| **byte == b'\n').count();
        self.rest = rest;
        taken
    }

    fn wrong(&self, line: usize, what: &str) -> Wrong {
        Wrong { line, what: what.to_owned() }
    }

    fn blanks(&mut self) {
        self.skip(|byte| byte == b' ' || byte == b'\t');
    }

    fn word(&mut self) -> &'t [u8] {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        self.take(end.unwrap_or(self.rest.len()))
    }

    fn assignment(&mut self) -> Result<Entry, Wrong> {
        let line = self.line;
        let mut word = self.word();
        if word == b"export" && self.rest.starts_with(b" ") {
            self.blanks();
            word = self.word();
        }
        self.blanks();
        if !self.rest.starts_with(b"=") {
            return Err(self.wrong(line, "expected NAME=value"));
        }
        self.take(1);
        let name = std::str::from_utf8(word).ok().and_then(|name| SecretName::parse(name).ok());
        let name = name.ok_or_else(|| self.wrong(line, "the name in front of = is none of a secret"))?;
        self.blanks();
        let value = match self.rest.first() {
            Some(b'\'') => self.single(line)?,
            Some(b'"') => self.double(line)?,
            _ => self.bare(),
        };
        if value.is_empty() {
            return Err(self.wrong(line, &format!("{name} has no value")));
        }
        Ok(Entry { name, value, line })
    }

    fn bare(&mut self) -> Zeroizing<Vec<u8>> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
        let line = self.take(end);
        let comment = line.windows(2).position(|two| matches!(two, b" #" | b"\t#"));
        let end = if line.starts_with(b"#") { 0 } else { comment.unwrap_or(line.len()) };
        let value = line.get(..end).unwrap_or(line);
        Zeroizing::new(value.trim_ascii_end().to_vec())
    }

    fn single(&mut self, line: usize) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        self.take(1);
        let end = self.rest.iter().position(|byte| *byte == b'\'');
        let value = self.take(end.ok_or_else(|| self.wrong(line, "the single quote is never closed"))?);
        self.take(1);
        self.after_quote()?;
        Ok(Zeroizing::new(value.to_vec()))
    }

    fn double(&mut self, line: usize) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        self.take(1);
        let mut escaped = false;
        let end = self.rest.iter().position(|byte| {
            let closes = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            closes
        });
        let raw = self.take(end.ok_or_else(|| self.wrong(line, "the double quote is never closed"))?);
        self.take(1);
        self.after_quote()?;
        // Of its final size at most: a buffer that grows leaves copies behind.
        let mut value = Zeroizing::new(Vec::with_capacity(raw.len()));
        let mut bytes = raw.iter().copied();
        while let Some(byte) = bytes.next() {
            let plain = match byte {
                b'\\' => match bytes.next() {
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(escaped @ (b'"' | b'\\' | b'$')) => escaped,
                    _ => {
                        return Err(self.wrong(line, "a backslash before something other than n r t \" \\ $"));
                    }
                },
                other => other,
            };
            value.push(plain);
        }
        Ok(value)
    }

    /// Behind a closing quote there is nothing but a comment.
    fn after_quote(&mut self) -> Result<(), Wrong> {
        self.blanks();
        match self.rest.first() {
            None | Some(b'\n' | b'\r') => Ok(()),
            Some(b'#') => {
                self.skip(|byte| byte != b'\n');
                Ok(())
            }
            Some(_) => Err(self.wrong(self.line, "something stands behind the closing quote")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        let entries = parse(text.as_bytes()).map_err(|wrong| wrong.to_string())?;
        let told =
            |entry: &Entry| (entry.name.to_string(), String::from_utf8_lossy(&entry.value).into_owned());
        Ok(entries.iter().map(told).collect())
    }

    fn one(text: &str) -> String {
        let read = read(text).unwrap();
        assert_eq!(read.len(), 1, "{read:?}");
        read[0].1.clone()
    }

    #[test]
    fn values_are_what_the_file_means() {
        for (text, value) in [
            ("K=plain", "plain"),
            ("K = around \t\n", "around"),
            ("export K=exported", "exported"),
            ("K=with # a comment", "with"),
            ("K=no#comment", "no#comment"),
            ("K=pa$$word ${NOT} $(this)", "pa$$word ${NOT} $(this)"),
            ("K=a=b=c==", "a=b=c=="),
            ("K=\u{fc}ber", "\u{fc}ber"),
            ("K=crlf\r\n", "crlf"),
            ("K='as it \\n stands \" # $x'", "as it \\n stands \" # $x"),
            ("K='two\nlines'", "two\nlines"),
            ("K=' edge '", " edge "),
            ("K=\"two\\nlines\"", "two\nlines"),
            ("K=\"a \\\"quote\\\" \\\\ \\$HOME\"", "a \"quote\" \\ $HOME"),
            ("K=\"really\ntwo\" # comment", "really\ntwo"),
            ("\u{feff}K=after a mark", "after a mark"),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
        let two = read("# first\n\n  A=1\n#B=2\nexport C='3' # three\n").unwrap();
        assert_eq!(two, [("A".to_owned(), "1".to_owned()), ("C".to_owned(), "3".to_owned())]);
        assert_eq!(read("# nothing\n").unwrap(), []);
    }

    /// A wrong line is told by its number; what stands on it may be a secret.
    #[test]
    fn mistakes_are_told_by_line_and_nothing_is_repeated() {
        for (text, said) in [
            ("A=1\nsk_live_s3cret\n", "line 2: expected NAME=value"),
            ("A=1\n9LIVES=s3cret", "line 2: the name in front of = is none of a secret"),
            ("a-b=s3cret", "line 1: expected NAME=value"),
            ("=s3cret", "line 1: the name in front of = is none of a secret"),
            ("A='s3cret\n\n", "line 1: the single quote is never closed"),
            ("A=\"s3cret\\\"", "line 1: the double quote is never closed"),
            ("\nA=\"s3\\qcret\"", "line 2: a backslash before something other than n r t \" \\ $"),
            ("A='s3' cret", "line 1: something stands behind the closing quote"),
            ("A='s3\n' cret", "line 2: something stands behind the closing quote"),
            ("A=\nB=2", "line 1: A has no value"),
            ("A= # s3cret", "line 1: A has no value"),
            ("A=''", "line 1: A has no value"),
            ("A=s3cret\nB='x\ny'\nA=s3cret", "line 4: A stands on line 1 already"),
        ] {
            let complaint = read(text).unwrap_err();
            assert_eq!(complaint, said, "{text:?}");
            assert!(!complaint.contains("s3cret"));
        }
    }
}
