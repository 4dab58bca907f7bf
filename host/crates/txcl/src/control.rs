//! Which paths of the control plane (`_txc`) a rule, or a reply from outside, may write.

use model::Path;

/// What rules and replies may write below `_txc` (spec: runtime, control-field protection).
const WRITABLE: &[&[&str]] = &[
    &["web", "res"],
    &["lmtp", "res"],
    &["goto"],
    &["halt"],
    &["delete"],
    &["telemetry"],
    &["llm", "reject"],
    &["llm", "upstream"],
    &["llm", "headers"],
    &["llm", "context"],
];

/// Whether a rule's EMIT, or its SET after SELECT, may write at `path`: anything at top
/// level, and below `_txc` the answer (`web.res`), flow control, `computed`, and `ttl`, which
/// the chassis only ever lowers.
#[must_use]
pub fn author_may_write(path: &Path) -> bool {
    path.starts_with(&["_txc", "computed"]) || path.starts_with(&["_txc", "ttl"]) || reply_may_write(path)
}

/// Whether what an upstream or an author's own op returned may be merged at `path`. As
/// [`author_may_write`] without `computed`: nobody outside may replace a signature that a
/// built-in made.
#[must_use]
pub fn reply_may_write(path: &Path) -> bool {
    match path.strip_prefix(&["_txc"]) {
        Some(below) => WRITABLE.iter().any(|allowed| below.starts_with(allowed)),
        None => !path.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_plane_is_closed_but_for_a_list() {
        let may = |text: &str| {
            let path = Path::parse_sugared(text).unwrap();
            (author_may_write(&path), reply_may_write(&path))
        };
        for open in [".a", ".a.b", "@web.res.status", "@web.res", "@goto", "@halt", "@llm.reject.x"] {
            assert_eq!(may(open), (true, true), "{open}");
        }
        assert_eq!((may("@computed.sig"), may("@ttl")), ((true, false), (true, false)));
        for closed in ["@web.req.body", "@web", "._txc", "@tenant", "@upstream.a.status", "@fuel_used"] {
            assert_eq!(may(closed), (false, false), "{closed}");
        }
    }
}
