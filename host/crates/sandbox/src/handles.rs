//! What the handles of one kind stand for, by number.

use model::Path;

/// What a `blob` handle stands for.
pub(crate) enum Blob {
    /// A place of the input that yields its bytes without a copy.
    At(Path),
    /// Bytes made for this handle.
    Own(Vec<u8>),
}

impl Blob {
    pub(crate) fn own_bytes(&self) -> usize {
        match self {
            Self::At(_) => 0,
            Self::Own(bytes) => bytes.len(),
        }
    }
}

/// A table whose places are used again. The engine checks that a guest names only handles
/// it was given and has not dropped; this only finds what they stand for.
pub(crate) struct Handles<T>(Vec<Option<T>>);

impl<T> Handles<T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Gives `thing` a number.
    pub(crate) fn put(&mut self, thing: T) -> u32 {
        let free = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        match self.0.get_mut(free) {
            Some(place) => *place = Some(thing),
            None => self.0.push(Some(thing)),
        }
        // There are never as many as a limit of type u32 says.
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    pub(crate) fn at(&self, number: u32) -> Option<&T> {
        self.0.get(usize::try_from(number).ok()?)?.as_ref()
    }

    pub(crate) fn take(&mut self, number: u32) -> Option<T> {
        self.0.get_mut(usize::try_from(number).ok()?)?.take()
    }
}
