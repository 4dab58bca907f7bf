//! Every defect of the Go chassis has a test that names it.

use std::collections::BTreeSet;

use crate::tree;

/// The families that issues 4 and 5 list, and how many each has.
const FAMILIES: [(char, usize); 7] =
    [('K', 9), ('S', 14), ('C', 6), ('A', 11), ('H', 16), ('E', 8), ('T', 7)];

/// The weaknesses that tests of a file name: in the doc comment or at the beginning of the name.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut told, mut test) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        let signature = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        if let Some(comment) = line.strip_prefix("///") {
            told.push_str(comment);
        } else if line.starts_with("#[test") || line.starts_with("#[tokio::test") {
            test = true;
        } else if let Some(name) = signature {
            if test {
                let words = name.split(['_', '(']).map(str::to_ascii_uppercase);
                found.extend(words.take_while(|word| is_number(word)));
                if told.contains("eakness") {
                    let words = told.split(|c: char| !c.is_ascii_alphanumeric());
                    found.extend(words.filter(|word| is_number(word)).map(str::to_owned));
                }
            }
            (told, test) = (String::new(), false);
        } else if !line.starts_with("#[") {
            told.clear();
        }
    }
    found
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(|c: char| c.is_ascii_uppercase());
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[test]
fn each_is_named_by_a_test() {
    let files: Vec<_> = ["host", "tests"].into_iter().flat_map(tree::rust).collect();
    let found: BTreeSet<_> = files
        .iter()
        .filter(|file| !file.path.starts_with("tests/architecture/"))
        .flat_map(|file| named(file.text()))
        .collect();
    let all =
        FAMILIES.into_iter().flat_map(|(family, count)| (1..=count).map(move |n| format!("{family}{n}")));
    let missing: Vec<_> = all.filter(|one| !found.contains(one)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

#[test]
fn only_tests_count() {
    let set = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(named("#[test]\nfn k1_s2_it_works() {}\n"), set(&["K1", "S2"]));
    assert_eq!(
        named("/// Weaknesses A1 and A2: gone.\n#[tokio::test]\nasync fn works() {}\n"),
        set(&["A1", "A2"])
    );
    assert_eq!(named("/// Weakness A1.\nfn helper() {}\n#[test]\nfn works() {}\n"), set(&[]));
    assert_eq!(named("/// See B2.\n#[test]\nfn works() {}\n"), set(&[]));
}
