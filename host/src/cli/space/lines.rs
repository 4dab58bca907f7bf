//! Which lines two texts differ in: the longest common run of lines stays, the rest is told.

/// The largest table of common lines; texts beyond are told whole.
const MAX_CELLS: usize = 4_000_000;
/// How many common lines are shown around a change.
const AROUND: usize = 3;

/// The lines of a text that became another, each with ` `, `-` or `+` before it; common lines
/// far from any change are left out, and `…` stands for them.
pub(super) fn changed(before: &str, after: &str) -> Vec<String> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let all = merged(&before, &after);
    let near = |at: usize| {
        let from = at.saturating_sub(AROUND);
        all.iter().skip(from).take(at - from + AROUND + 1).any(|(sign, _)| *sign != ' ')
    };
    let mut told = Vec::new();
    let mut skipping = false;
    for (at, (sign, line)) in all.iter().enumerate() {
        if near(at) {
            told.push(format!("{sign}{line}"));
            skipping = false;
        } else if !skipping {
            told.push("…".to_owned());
            skipping = true;
        }
    }
    told
}

fn merged<'t>(before: &[&'t str], after: &[&'t str]) -> Vec<(char, &'t str)> {
    let width = after.len() + 1;
    let mut all = Vec::new();
    if before.len().saturating_add(1).saturating_mul(width) > MAX_CELLS {
        all.extend(before.iter().map(|line| ('-', *line)));
        all.extend(after.iter().map(|line| ('+', *line)));
        return all;
    }
    // How many lines are common from (i, j) on.
    let mut common = vec![0_u32; (before.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            let best = if old == new {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (before.get(i), after.get(j)) {
            (None, None) => return all,
            (Some(old), Some(new)) if old == new => {
                all.push((' ', *old));
                i += 1;
                j += 1;
            }
            (Some(old), other) if other.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                all.push(('-', *old));
                i += 1;
            }
            (_, Some(new)) => {
                all.push(('+', *new));
                j += 1;
            }
            (Some(_), None) => return all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_with_what_is_around() {
        assert_eq!(changed("a\nb\nc\n", "a\nx\nc\n"), [" a", "-b", "+x", " c"]);
        assert_eq!(changed("", "a\n"), ["+a"]);
        assert_eq!(changed("a\n", ""), ["-a"]);
        assert!(changed("a\nb", "a\nb").iter().all(|line| line == "…"));
        let long: String = (0..20).map(|n| format!("{n}\n")).collect();
        let told = changed(&long, &format!("{long}new\n"));
        assert_eq!(told, ["…", " 17", " 18", " 19", "+new"]);
    }
}
