//! The manifest that a component carries in a custom section of its own.

use model::{MANIFEST_SECTION, OpManifest};

use crate::Error;

/// What a component begins with: `\0asm`, the version of the binary format, and its layer.
const PREAMBLE: usize = 8;
/// The number of a custom section.
const CUSTOM: u8 = 0;
/// The number of a section that is a module.
const CORE_MODULE: u8 = 1;

/// The manifest of a component; `None` when it carries none. Sections of modules and
/// components inside it do not count: a part of an op does not speak for the whole.
///
/// # Errors
/// [`Error::NotAComponent`] when the bytes are not even sections; [`Error::Manifest`] when
/// there is more than one or it is not right.
pub fn manifest(wasm: &[u8]) -> Result<Option<OpManifest>, Error> {
    let wrong = |why: &str| Error::Manifest { why: why.to_owned() };
    let mut found = None;
    for section in Sections::of(wasm)? {
        let (id, section) = section?;
        if id != CUSTOM {
            continue;
        }
        let (name, text) = sized(section).ok_or(Error::NotAComponent)?;
        if name != MANIFEST_SECTION.as_bytes() {
            continue;
        }
        let text = str::from_utf8(text).map_err(|_| wrong("op.toml: it is not UTF-8"))?;
        let manifest = OpManifest::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if found.replace(manifest).is_some() {
            return Err(wrong("op.toml: there are two"));
        }
    }
    Ok(found)
}

/// What stands before the first module in a component: in those of `wit-component`, all that it
/// imports. It is a component too.
pub(crate) fn before_modules(wasm: &[u8]) -> Option<&[u8]> {
    let mut sections = Sections::of(wasm).ok()?;
    loop {
        let left = sections.0.len();
        if sections.next()?.ok()?.0 == CORE_MODULE {
            return wasm.get(..wasm.len().checked_sub(left)?);
        }
    }
}

/// The sections of a component, each with its number.
struct Sections<'a>(&'a [u8]);

impl<'a> Sections<'a> {
    fn of(wasm: &'a [u8]) -> Result<Self, Error> {
        wasm.get(PREAMBLE..).map(Self).ok_or(Error::NotAComponent)
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<(u8, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&id, after) = self.0.split_first()?;
        let section = sized(after);
        self.0 = section.map_or(&[], |(_, after)| after);
        Some(section.map(|(section, _)| (id, section)).ok_or(Error::NotAComponent))
    }
}

/// Splits off what stands behind its own length, an unsigned LEB128 of at most 32 bits.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        len |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes.get(at + 1..)?.split_at_checked(usize::try_from(len).ok()?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"x\"\ndescription = \"of a component\"";

    /// A section; its content shorter than 128 bytes.
    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id, content.len() as u8][..], content].concat()
    }

    fn custom(text: &str) -> Vec<u8> {
        let name = MANIFEST_SECTION.as_bytes();
        section(CUSTOM, &[&[name.len() as u8][..], name, text.as_bytes()].concat())
    }

    fn component(sections: &[Vec<u8>]) -> Vec<u8> {
        [&b"\0asm\x0d\0\x01\0"[..], &sections.concat()].concat()
    }

    #[test]
    fn the_manifest_is_found_behind_other_sections() {
        let other = section(CUSTOM, b"\x04name whatever");
        let found = manifest(&component(&[other, section(1, b"a module"), custom(TEXT)]));
        assert_eq!(found.unwrap().unwrap().description, "of a component");
        assert_eq!(manifest(&component(&[])), Ok(None));
    }

    #[test]
    fn a_module_inside_does_not_speak_for_the_component() {
        let inner = component(&[custom(TEXT)]);
        assert_eq!(manifest(&component(&[section(1, &inner)])), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let why = |sections: &[Vec<u8>]| match manifest(&component(sections)) {
            Err(Error::Manifest { why }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(&[custom(TEXT), custom(TEXT)]), "op.toml: there are two");
        assert!(why(&[custom("name = 7")]).starts_with("op.toml: "));
        let mut not_text = custom("name");
        not_text.pop();
        not_text.push(0xff);
        assert_eq!(why(&[not_text]), "op.toml: it is not UTF-8");
    }

    #[test]
    fn what_is_cut_short_is_no_component() {
        let whole = component(&[custom(TEXT)]);
        for end in (0..PREAMBLE).chain(PREAMBLE + 1..whole.len()) {
            assert_eq!(manifest(&whole[..end]), Err(Error::NotAComponent), "{end} bytes");
        }
        // A length that never ends, and one beyond the end.
        for len in [&[0xff; 9][..], &[0xff, 0xff, 0xff, 0xff, 0x0f]] {
            assert_eq!(manifest(&component(&[[&[CUSTOM], len].concat()])), Err(Error::NotAComponent));
        }
    }
}
