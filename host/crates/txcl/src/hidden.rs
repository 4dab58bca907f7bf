//! WITH redact and omit: what traces of the envelope do not show.

use model::{Path, Value};

use crate::clause::Pair;
use crate::diagnostic::{Findings, Problem};

/// Places of the envelope that traces do not show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Something else stands there.
    pub redacted: Vec<Path>,
    /// They are left out; wins over `redacted`.
    pub omitted: Vec<Path>,
}

/// Reads both. They are for the chassis alone and hold for every request, so they are literal.
pub(crate) fn read(with: &[Pair], findings: &mut Findings<'_>) -> Hidden {
    let mut hidden = Hidden::default();
    for pair in with {
        let places = match pair.path.first() {
            Some("redact") => &mut hidden.redacted,
            Some("omit") => &mut hidden.omitted,
            _ => continue,
        };
        match paths(pair) {
            Ok(paths) => places.extend(paths),
            Err(why) => findings.refuse(Problem::at(&pair.value_span, format!("{}: {why}", pair.path)).hint(
                "it takes paths of the envelope as literal texts: \".card\", or [\".card\", \".user.email\"]",
            )),
        }
    }
    hidden
}

fn paths(pair: &Pair) -> Result<Vec<Path>, String> {
    if pair.path.segments().len() > 1 {
        return Err("it has no parts".to_owned());
    }
    let one = pair.value.literal().ok_or("its value is not literal")?;
    let texts = if let Value::Array(texts) = one { texts.as_slice() } else { std::slice::from_ref(one) };
    let path = |value: &Value| {
        let text = value.as_str().ok_or_else(|| format!("{} is no path", value.to_json()))?;
        match Path::parse_sugared(text) {
            Ok(path) if path.is_empty() => Err("the empty path is the whole envelope".to_owned()),
            parsed => parsed.map_err(|error| format!("{text:?} is no path: {error}")),
        }
    };
    texts.iter().map(path).collect()
}
