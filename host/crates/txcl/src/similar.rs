//! Which name somebody may have meant.

/// The candidate nearest to `name`, when it is near enough to be what was meant.
pub(crate) fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = match name.len() {
        0..=2 => return None,
        3..=5 => 1,
        _ => 2,
    };
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let near = candidates
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate);
    // `length` for `len`, `encod` for `encoding`.
    let shares = |one: &&&str| one.len() > 2 && (name.starts_with(**one) || one.starts_with(name));
    let mut alike = candidates.iter().filter(shares);
    near.or_else(|| alike.next().copied().filter(|_| alike.next().is_none()))
}

/// Edits between two words, case aside; two neighbours that changed places are one edit.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let (a, b) = (a.to_ascii_lowercase().into_bytes(), b.to_ascii_lowercase().into_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["concat", "uuid", "now", "json"];
        assert_eq!(closest("conact", names), Some("concat"));
        assert_eq!(closest("UUIDD", names), Some("uuid"));
        assert_eq!(closest("jsn", names), Some("json"));
        assert_eq!(closest("concatenate", names), Some("concat"));
        assert_eq!(closest("uppercase", names), None);
        assert_eq!(closest("x", names), None);
        assert_eq!(closest(&"x".repeat(10_000), names), None);
    }
}
