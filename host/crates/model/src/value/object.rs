//! The members of an object, in the order in which they came.

use std::fmt;
use std::hash::BuildHasher as _;
use std::slice;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smol_str::SmolStr;

use super::Value;

/// Up to so many members are looked through one by one, which is quicker than hashing a name.
const FEW: usize = 16;

/// The members of an object, in the order in which they came (decision 0095). Two objects are equal when they have
/// the same members, in whatever order.
#[derive(Clone, Default)]
pub struct Object {
    members: Vec<(SmolStr, Value)>,
    /// Where each name is, once there are more than a few.
    index: Option<Box<Index>>,
}

impl Object {
    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(self.at(name)?).map(|(_, value)| value)
    }

    /// The member of this name, to be changed.
    #[must_use]
    pub fn value_mut(&mut self, name: &str) -> Option<&mut Value> {
        let at = self.at(name)?;
        self.members.get_mut(at).map(|(_, value)| value)
    }

    /// Whether there is a member of this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.at(name).is_some()
    }

    /// Puts a member where its name already is, or behind the others; gives what was there.
    pub fn insert(&mut self, name: impl Into<SmolStr> + AsRef<str>, value: Value) -> Option<Value> {
        match self.value_mut(name.as_ref()) {
            Some(old) => Some(std::mem::replace(old, value)),
            None => {
                self.push(name.into(), value);
                None
            }
        }
    }

    /// The member of this name; when there is none, `null` behind the others.
    #[expect(clippy::indexing_slicing, reason = "it was found there, or pushed")]
    pub fn member(&mut self, name: &str) -> &mut Value {
        let at = self.at(name).unwrap_or_else(|| self.push(SmolStr::new(name), Value::Null));
        &mut self.members[at].1
    }

    /// Removes the member of this name and gives it; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.at(name)?;
        let (_, value) = self.members.remove(at);
        if let Some(index) = &mut self.index {
            index.close(name, at);
        }
        Some(value)
    }

    /// Keeps the members for which `keep` says yes, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(&SmolStr, &mut Value) -> bool) {
        self.members.retain_mut(|(name, value)| keep(name, value));
        self.index = (self.len() > FEW).then(|| Box::new(Index::of(&self.members)));
    }

    /// The members, in order.
    #[must_use]
    pub fn iter(&self) -> Members<'_> {
        Members(self.members.iter())
    }

    /// The members, in order, their values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&SmolStr, &mut Value)> {
        self.members.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &SmolStr> {
        self.members.iter().map(|(name, _)| name)
    }

    /// The values, in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.members.iter().map(|(_, value)| value)
    }

    /// The values, in order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.members.iter_mut().map(|(_, value)| value)
    }

    fn at(&self, name: &str) -> Option<usize> {
        match &self.index {
            None => self.members.iter().position(|(its, _)| its == name),
            Some(index) => index.at(name, &self.members),
        }
    }

    /// Adds a member whose name is new, and says where.
    fn push(&mut self, name: SmolStr, value: Value) -> usize {
        let at = self.members.len();
        self.members.push((name, value));
        match &mut self.index {
            Some(index) => index.open(&self.members, at),
            None if at == FEW => self.index = Some(Box::new(Index::of(&self.members))),
            None => {}
        }
        at
    }
}

/// Where each name is, hashed with a seed of this process: nobody outside can choose names that meet.
#[derive(Clone, Default)]
struct Index {
    places: HashTable<usize>,
    hasher: RandomState,
}

impl Index {
    fn of(members: &[(SmolStr, Value)]) -> Self {
        let mut index = Self::default();
        for at in 0..members.len() {
            index.open(members, at);
        }
        index
    }

    fn at(&self, name: &str, members: &[(SmolStr, Value)]) -> Option<usize> {
        let is = |at: &usize| members.get(*at).is_some_and(|(its, _)| its == name);
        self.places.find(self.hasher.hash_one(name), is).copied()
    }

    /// Takes in the member at `at`.
    fn open(&mut self, members: &[(SmolStr, Value)], at: usize) {
        let hash = |at: &usize| self.hasher.hash_one(members.get(*at).map_or("", |(name, _)| name));
        self.places.insert_unique(hash(&at), at, hash);
    }

    /// Forgets `name`, which was at `at`; those behind it have moved up.
    fn close(&mut self, name: &str, at: usize) {
        if let Ok(found) = self.places.find_entry(self.hasher.hash_one(name), |place| *place == at) {
            found.remove();
        }
        for place in self.places.iter_mut().filter(|place| **place > at) {
            *place -= 1;
        }
    }
}

/// The members of an object, in order.
#[derive(Clone)]
pub struct Members<'a>(slice::Iter<'a, (SmolStr, Value)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a SmolStr, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Members<'_> {}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a SmolStr, &'a Value);
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Members<'a> {
        self.iter()
    }
}

impl IntoIterator for Object {
    type Item = (SmolStr, Value);
    type IntoIter = std::vec::IntoIter<(SmolStr, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl<K: Into<SmolStr> + AsRef<str>> FromIterator<(K, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(members: I) -> Self {
        let members = members.into_iter();
        let mut object = Self { members: Vec::with_capacity(members.size_hint().0), index: None };
        object.extend(members);
        object
    }
}

impl<K: Into<SmolStr> + AsRef<str>> Extend<(K, Value)> for Object {
    fn extend<I: IntoIterator<Item = (K, Value)>>(&mut self, members: I) {
        for (name, value) in members {
            self.insert(name, value);
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Object {
        (0..count).map(|n| (format!("name {n}"), Value::from(n as u64))).collect()
    }

    fn names(object: &Object) -> Vec<&str> {
        object.keys().map(SmolStr::as_str).collect()
    }

    /// The same of few members as of many, and on the way from one to the other.
    #[test]
    fn it_is_a_map_that_keeps_its_order() {
        for count in [1, FEW - 1, FEW, FEW + 1, FEW + 2, 1_000] {
            let mut object = numbered(count);
            assert_eq!(object.len(), count);
            for n in 0..count {
                let name = format!("name {n}");
                assert_eq!(object.get(&name), Some(&Value::from(n as u64)), "{name} of {count}");
                assert_eq!(object.insert(name, Value::Null), Some(Value::from(n as u64)));
            }
            assert_eq!((object.len(), object.get("name")), (count, None));
            assert_eq!(*object.member("new"), Value::Null);
            assert_eq!(names(&object).last(), Some(&"new"), "{count}");
            assert_eq!(object.remove("name 0"), Some(Value::Null));
            assert_eq!(object.remove("name 0"), None);
            assert_eq!(
                names(&object),
                names(&numbered(count)).split_off(1).into_iter().chain(["new"]).collect::<Vec<_>>()
            );
            for name in names(&object.clone()) {
                assert!(object.contains_key(name), "{name} of {count}");
            }
        }
    }

    #[test]
    fn removed_one_by_one_it_stays_right() {
        let mut object = numbered(100);
        for n in (0..100).step_by(3) {
            object.remove(&format!("name {n}"));
        }
        for n in 0..100 {
            let left = (n % 3 != 0).then(|| Value::from(n as u64));
            assert_eq!(object.get(&format!("name {n}")), left.as_ref(), "{n}");
        }
        assert_eq!(object.len(), 66);
    }

    #[test]
    fn what_is_kept_is_found() {
        for count in [10, 40, 100] {
            let mut object = numbered(count);
            object.retain(|name, value| {
                *value = Value::Null;
                name.ends_with('0')
            });
            assert_eq!(object.len(), count / 10);
            assert!(object.keys().all(|name| object.get(name) == Some(&Value::Null)));
            assert!(object.contains_key("name 0") && !object.contains_key("name 1"));
        }
    }

    #[test]
    fn order_is_no_difference() {
        for count in [3, 40] {
            let turned: Object = numbered(count).into_iter().rev().collect();
            assert_eq!(turned, numbered(count));
            assert_ne!(names(&turned), names(&numbered(count)));
            assert_ne!(numbered(count), numbered(count - 1));
        }
        assert_ne!(numbered(1), [("name 0", Value::Null)].into_iter().collect());
    }

    /// What arrays of values cost, too.
    #[test]
    fn a_value_is_small() {
        assert_eq!((size_of::<Object>(), size_of::<Value>()), (32, 32));
    }
}
