//! A bounded map that forgets what was not asked for lately.

use std::collections::HashMap;

/// Two generations: a full young one becomes the old one, and what the old one still
/// holds then is forgotten. Every operation is one or two lookups; nothing is scanned.
pub(crate) struct Cache<V> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
    half: usize,
}

impl<V: Clone> Cache<V> {
    /// Room for `most` entries.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (most / 2).max(1) }
    }

    pub(crate) fn find(&mut self, key: &str) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.keep(key, value.clone());
        Some(value)
    }

    pub(crate) fn keep(&mut self, key: String, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_asked_for() {
        let mut cache = Cache::new(8);
        cache.keep("hot".to_owned(), 0);
        for n in 1..1000 {
            cache.keep(n.to_string(), n);
            assert_eq!(cache.find("hot"), Some(0), "{n}");
            assert!(cache.len() <= 8, "{}", cache.len());
        }
        assert_eq!(cache.find("1"), None);
        cache.clear();
        assert_eq!((cache.find("hot"), cache.len()), (None, 0));
    }
}
