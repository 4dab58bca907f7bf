//! A map bounded in bytes that forgets what was not asked for lately.

use std::collections::HashMap;

/// What an entry costs beside its key and its value: its place in the table and what the
/// allocator adds.
const PER_ENTRY: usize = 128;

/// How many bytes of memory a value holds.
pub(crate) trait Weighs {
    fn weight(&self) -> usize;
}

/// Two generations: a full young one becomes the old one, and what the old one still
/// holds then is forgotten. Every operation is one or two lookups; nothing is scanned.
pub(crate) struct Cache<V> {
    young: Generation<V>,
    old: Generation<V>,
    half: usize,
}

struct Generation<V> {
    entries: HashMap<String, V>,
    weight: usize,
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), weight: 0 }
    }
}

impl<V: Clone + Weighs> Cache<V> {
    /// Room for `most` bytes; what weighs more than half of it is never kept, and so with
    /// none nothing is.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), half: most / 2 }
    }

    pub(crate) fn find(&mut self, key: &str) -> Option<V> {
        if let Some(value) = self.young.entries.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.entries.remove_entry(key)?;
        self.old.weight -= weight_of(&key, &value);
        self.keep(key, value.clone());
        Some(value)
    }

    pub(crate) fn keep(&mut self, key: String, value: V) {
        let weight = weight_of(&key, &value);
        if weight > self.half {
            return;
        }
        if self.young.weight + weight > self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.weight += weight;
        let replaced = self.young.entries.get(&key).map(|replaced| weight_of(&key, replaced));
        self.young.weight -= replaced.unwrap_or(0);
        self.young.entries.insert(key, value);
    }

    pub(crate) fn clear(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        self.young.weight + self.old.weight
    }
}

fn weight_of<V: Weighs>(key: &str, value: &V) -> usize {
    PER_ENTRY + key.len() + value.weight()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Bytes(usize);

    impl Weighs for Bytes {
        fn weight(&self) -> usize {
            self.0
        }
    }

    /// Weakness S11: the existing cache grows without bound.
    #[test]
    fn it_is_bounded_and_keeps_what_is_asked_for() {
        const MOST: usize = 8 * (PER_ENTRY + 100);
        let mut cache = Cache::new(MOST);
        cache.keep("hot".to_owned(), Bytes(1));
        let mut heaviest = 0;
        for n in 1..1000 {
            cache.keep(n.to_string(), Bytes(n % 97));
            assert_eq!(cache.find("hot"), Some(Bytes(1)), "{n}");
            let held: usize = [&cache.young, &cache.old]
                .iter()
                .flat_map(|generation| &generation.entries)
                .map(|(key, value)| weight_of(key, value))
                .sum();
            assert_eq!(cache.weight(), held, "{n}");
            heaviest = heaviest.max(held);
        }
        assert!(heaviest > MOST / 2 && heaviest <= MOST, "{heaviest} of {MOST}");
        assert_eq!(cache.find("1"), None);
        cache.clear();
        assert_eq!((cache.find("hot"), cache.weight()), (None, 0));
    }

    #[test]
    fn a_value_of_half_the_room_is_kept_and_one_byte_more_is_not() {
        let largest = 500 - PER_ENTRY - "k".len();
        let mut cache = Cache::new(1000);
        cache.keep("k".to_owned(), Bytes(largest + 1));
        assert_eq!((cache.find("k"), cache.weight()), (None, 0));
        cache.keep("k".to_owned(), Bytes(largest));
        assert_eq!((cache.find("k"), cache.weight()), (Some(Bytes(largest)), 500));
        let mut none = Cache::new(0);
        none.keep("k".to_owned(), Bytes(0));
        assert_eq!(none.find("k"), None);
    }

    #[test]
    fn a_value_kept_twice_weighs_once() {
        let mut cache = Cache::new(4000);
        cache.keep("k".to_owned(), Bytes(10));
        cache.keep("k".to_owned(), Bytes(20));
        assert_eq!((cache.find("k"), cache.weight()), (Some(Bytes(20)), PER_ENTRY + 21));
    }
}
