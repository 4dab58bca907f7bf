//! Content codings of replies: one is undone, under the cap of a reply, before the mask.

use std::io::Read as _;

use flate2::bufread::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, TRANSFER_ENCODING};
use zeroize::Zeroizing;

/// What a request asks for. The mask reads the reply after it was undone.
pub(crate) const ACCEPTED: &str = "gzip";
/// How much is undone at a time.
const PIECE: usize = 16 * 1024;

/// How the body of a reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

/// Why a body is not what it says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    TooLarge,
    Broken,
}

impl Coding {
    /// The coding that the header names; nothing when there is another, or more than one, or one of the transfer: the
    /// library undoes chunks and leaves what else is said there, where the mask would not see through it.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut transfer = headers.get_all(TRANSFER_ENCODING).into_iter();
        let chunked = transfer.next().is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !chunked || transfer.next().is_some() {
            return None;
        }
        let mut coding = Self::Identity;
        for value in headers.get_all(CONTENT_ENCODING) {
            for word in value.to_str().ok()?.split(',').map(str::trim) {
                match word.to_ascii_lowercase().as_str() {
                    "" | "identity" => {}
                    "gzip" | "x-gzip" if coding == Self::Identity => coding = Self::Gzip,
                    _ => return None,
                }
            }
        }
        Some(coding)
    }

    /// The body itself, of at most `limit` bytes: a few bytes can say a great many.
    pub(crate) fn undo(self, body: Zeroizing<Vec<u8>>, limit: usize) -> Result<Zeroizing<Vec<u8>>, Undone> {
        if self == Self::Identity || body.is_empty() {
            return Ok(body);
        }
        let mut coded = MultiGzDecoder::new(body.as_slice());
        let mut whole = Zeroizing::new(Vec::new());
        let mut piece = Zeroizing::new([0_u8; PIECE]);
        loop {
            let count = coded.read(piece.as_mut_slice()).map_err(|_| Undone::Broken)?;
            let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { return Ok(whole) };
            if read.len() > limit.saturating_sub(whole.len()) {
                return Err(Undone::TooLarge);
            }
            whole.extend_from_slice(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use reqwest::header::HeaderValue;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn undo(body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Undone> {
        Coding::Gzip.undo(Zeroizing::new(body), limit).map(|whole| whole.to_vec())
    }

    #[test]
    fn one_coding_is_known() {
        let of = |values: &[&'static str]| {
            let headers = values.iter().map(|v| (CONTENT_ENCODING, HeaderValue::from_static(v)));
            Coding::of(&headers.fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            }))
        };
        for (values, want) in [
            (&[][..], Some(Coding::Identity)),
            (&["identity"], Some(Coding::Identity)),
            (&["GZIP"], Some(Coding::Gzip)),
            (&["identity, x-gzip"], Some(Coding::Gzip)),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
            (&["br"], None),
            (&["deflate"], None),
            (&["gzip, br"], None),
        ] {
            assert_eq!(of(values), want, "{values:?}");
        }
    }

    #[test]
    fn the_limit_is_of_the_whole() {
        let text = b"0123456789".repeat(10_000);
        assert_eq!(undo(gzip(&text), text.len()).unwrap(), text);
        assert_eq!(undo(gzip(&text), text.len() - 1), Err(Undone::TooLarge));
        // A hundred megabytes in a hundred kilobytes.
        let bomb = gzip(&vec![0; 100 << 20]);
        assert!(bomb.len() < 200_000);
        assert_eq!(undo(bomb, 4 << 20), Err(Undone::TooLarge));
        let members = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(undo(members, 100).unwrap(), b"one two");
    }

    #[test]
    fn what_is_cut_or_damaged_is_broken() {
        let whole = gzip(b"a text that is long enough to be damaged somewhere");
        for cut in 1..whole.len() {
            assert_eq!(undo(whole[..cut].to_vec(), 1000), Err(Undone::Broken), "{cut}");
        }
        let mut damaged = whole;
        let at = damaged.len() - 6; // the checksum
        damaged[at] ^= 1;
        assert_eq!(undo(damaged, 1000), Err(Undone::Broken));
        assert_eq!(undo(b"plain text".to_vec(), 1000), Err(Undone::Broken));
        assert_eq!(undo(Vec::new(), 1000).unwrap(), b"");
    }
}
