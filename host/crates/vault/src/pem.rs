//! Keys as people have them: PEM (RFC 7468) around DER (X.690).

use crate::cleartext::Cleartext;
use crate::encoding;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block of PEM.
pub(crate) struct Pem<'a> {
    pub(crate) label: &'a str,
    pub(crate) der: Cleartext,
}

impl<'a> Pem<'a> {
    /// The first block of `text`; lines before it are ignored, as everywhere. The reason
    /// quotes nothing of it.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, String> {
        let none = || "not PEM: there is no line -----BEGIN …-----".to_owned();
        let text = std::str::from_utf8(text).map_err(|_| none())?;
        let mut lines = text.lines().map(str::trim_ascii_end);
        let label = lines.find_map(|line| line.strip_prefix(BEGIN)?.strip_suffix(DASHES)).ok_or_else(none)?;
        let end = format!("-----END {label}-----");
        let body: Vec<&str> = lines.clone().take_while(|line| *line != end).collect();
        if lines.nth(body.len()).is_none() {
            return Err("not PEM: the END line to its BEGIN line is missing".to_owned());
        }
        if body.iter().any(|line| line.contains(':')) {
            return Err("this PEM is encrypted; store the key decrypted: openssl pkey -in OLD.pem".to_owned());
        }
        let mut base64 = Cleartext::zeroed(body.iter().map(|line| line.len()).sum());
        for (place, byte) in base64.buffer().iter_mut().zip(body.iter().flat_map(|line| line.bytes())) {
            *place = byte;
        }
        let der = encoding::base64(base64.expose()).map_err(|_| "not PEM: the base64 in it is damaged")?;
        Ok(Self { label, der })
    }
}

/// The content of the DER element with `tag` that `bytes` begins with, and what follows it.
pub(crate) fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        // Up to two bytes of length: 64 KiB, as much as a value may have.
        0x81 | 0x82 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, Vec<u8>), String> {
        Pem::parse(text.as_bytes()).map(|pem| (pem.label.to_owned(), pem.der.expose().to_vec()))
    }

    #[test]
    fn the_first_block_counts() {
        let good = Ok(("PUBLIC KEY".to_owned(), b"foobar".to_vec()));
        assert_eq!(parsed("-----BEGIN PUBLIC KEY-----\nZm9v\nYmFy\n-----END PUBLIC KEY-----\n"), good);
        assert_eq!(
            parsed("hello\r\n-----BEGIN PUBLIC KEY-----\r\nZm9vYmFy\r\n-----END PUBLIC KEY-----"),
            good
        );
    }

    #[test]
    fn what_is_wrong_is_said_and_the_value_is_not() {
        for (text, reason) in [
            ("Zm9v", "not PEM: there is no line -----BEGIN …-----"),
            ("-----BEGIN X-----\nZm9v\n", "not PEM: the END line to its BEGIN line is missing"),
            (
                "-----BEGIN X-----\nZm9v\n-----END Y-----\n",
                "not PEM: the END line to its BEGIN line is missing",
            ),
            (
                "-----BEGIN X-----\nZm9\n*-----END X-----\n",
                "not PEM: the END line to its BEGIN line is missing",
            ),
            ("-----BEGIN X-----\nZm9*\n-----END X-----\n", "not PEM: the base64 in it is damaged"),
            ("-----BEGIN X-----\n-----END X-----\n", "not PEM: the base64 in it is damaged"),
            (
                "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nZm9v\n-----END X-----\n",
                "this PEM is encrypted; store the key decrypted: openssl pkey -in OLD.pem",
            ),
        ] {
            assert_eq!(parsed(text), Err(reason.to_owned()), "{text}");
        }
    }

    #[test]
    fn elements_are_read_whole_or_not_at_all() {
        assert_eq!(element(0x30, &[0x30, 2, 1, 2, 9]), Some((&[1, 2][..], &[9][..])));
        assert_eq!(element(0x30, &[0x30, 0x81, 2, 1, 2]), Some((&[1, 2][..], &[][..])));
        for bad in [&[][..], &[0x30], &[0x31, 0], &[0x30, 2, 1], &[0x30, 0x82, 1], &[0x30, 0x83, 0, 0, 1, 0]]
        {
            assert_eq!(element(0x30, bad), None, "{bad:?}");
        }
    }
}
