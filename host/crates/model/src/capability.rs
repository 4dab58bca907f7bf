//! What somebody may do in a tenant: `domain:instance:action`, where `*` stands for any.

use std::fmt;

use crate::name::NameError;

/// The longest capability.
const MAX_LENGTH: usize = 200;
const RULE: &str = "expected DOMAIN:INSTANCE:ACTION, such as secret:*:read or secret:STRIPE_*:write";

/// What may be granted: each domain, its actions, and whether its instances are told apart.
/// Where they are not, only `*` may be granted: a limit that nobody checks is none.
const GRANTABLE: &[(&str, &[&str], Instances)] = &[
    ("opstack", &["read", "update", "activate"], Instances::All),
    ("actor", &["read", "invite", "revoke"], Instances::All),
    ("hostname", &["read", "write"], Instances::All),
    ("secret", &["read", "write", "use"], Instances::Named),
    ("dns", &["read", "write"], Instances::All),
    ("run", &["read", "cancel"], Instances::All),
];

/// Whether the instances of a domain are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instances {
    All,
    Named,
}

/// One capability, as it is granted and stored.
///
/// The existing chassis wrote only `*` as instance; here it is a pattern in which `*` stands
/// for any characters, and it is matched (weakness A6).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    written: String,
    domain: String,
    instance: String,
    action: String,
}

impl Capability {
    /// Reads one: three segments, or the older forms `domain:action`, `admin:all` and `*`.
    ///
    /// # Errors
    /// [`NameError`] when it has another form.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::new("capability", text, RULE);
        let good = |segment: &str| {
            !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.*/".contains(&b))
        };
        if text.len() > MAX_LENGTH {
            return Err(wrong());
        }
        let segments: Vec<&str> = text.split(':').collect();
        let (domain, instance, action) = match *segments.as_slice() {
            ["*"] | ["admin", "all"] => ("*", "*", "*"),
            [domain, action] => (domain, "*", action),
            [domain, instance, action] => (domain, instance, action),
            _ => return Err(wrong()),
        };
        if ![domain, instance, action].into_iter().all(good) {
            return Err(wrong());
        }
        Ok(Self {
            written: text.to_owned(),
            domain: domain.to_owned(),
            instance: instance.to_owned(),
            action: action.to_owned(),
        })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether it permits `action` on the instance called `instance`. A text with `*` in it is
    /// permitted only where everything it stands for is.
    #[must_use]
    pub fn permits(&self, domain: &str, instance: &str, action: &str) -> bool {
        self.permits_some(domain, action) && matches(&self.instance, instance)
    }

    /// Whether it permits `action` on some instance.
    #[must_use]
    pub fn permits_some(&self, domain: &str, action: &str) -> bool {
        (self.domain == "*" || self.domain == domain) && (self.action == "*" || self.action == action)
    }

    /// Whether it permits all that `other` permits.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.permits(&other.domain, &other.instance, &other.action)
    }

    /// Whether it may be granted: everything, or an action that something here asks for.
    #[must_use]
    pub fn is_grantable(&self) -> bool {
        let everything = [&self.domain, &self.instance, &self.action].into_iter().all(|s| s == "*");
        everything
            || GRANTABLE.iter().any(|(domain, actions, instances)| {
                *domain == self.domain
                    && (self.action == "*" || actions.contains(&self.action.as_str()))
                    && (self.instance == "*" || *instances == Instances::Named)
            })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Whether `text` is of the pattern, in which `*` stands for any characters. Every `*` of
/// `text` has to fall to one of the pattern, so a match of two patterns means that the first
/// stands for all that the second does.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    // What stands behind the last star ends the text; the others are found from the left.
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Capability {
        Capability::parse(text).unwrap()
    }

    #[test]
    fn older_forms_mean_the_same() {
        for all in ["*", "admin:all", "*:*:*"] {
            assert!(of(all).permits("secret", "A", "write"), "{all}");
            assert!(of(all).is_grantable() && of(all).as_str() == all);
        }
        assert!(of("secret:read").permits("secret", "A", "read"));
        assert!(!of("secret:read").permits("secret", "A", "write"));
    }

    #[test]
    fn texts_of_another_form_are_none() {
        let long = format!("secret:{}:read", "A".repeat(MAX_LENGTH));
        for bad in
            ["", ":", "secret", "a:b:c:d", "secret::read", "a b:*:read", "secret:*:read,", "é:*:*", &long]
        {
            assert!(Capability::parse(bad).is_err(), "{bad}");
        }
        assert!(Capability::parse(&format!("secret:{}:read", "A".repeat(MAX_LENGTH - 12))).is_ok());
    }

    /// Weakness A6: the instance is a pattern, and it is matched.
    #[test]
    fn a6_an_instance_is_a_pattern() {
        let stripe = of("secret:STRIPE_*:write");
        assert!(stripe.permits("secret", "STRIPE_API_KEY", "write"));
        assert!(stripe.permits("secret", "STRIPE_", "write"));
        for (domain, instance, action) in [
            ("secret", "STRIPE", "write"),
            ("secret", "MY_STRIPE_KEY", "write"),
            ("secret", "STRIPE_API_KEY", "read"),
            ("opstack", "STRIPE_API_KEY", "write"),
            ("secret", "*", "write"),
        ] {
            assert!(!stripe.permits(domain, instance, action), "{domain}:{instance}:{action}");
        }
        assert!(stripe.permits_some("secret", "write") && !stripe.permits_some("secret", "read"));
        for (pattern, text, expected) in [
            ("A*C", "AC", true),
            ("A*C", "ABC", true),
            ("A*C", "ABCD", false),
            ("A*A", "A", false),
            ("*A*B*", "xAxxBx", true),
            ("*A*B*", "xBxAx", false),
            ("A*AB", "AB", false),
            ("A*AB", "AAB", true),
            ("*", "", true),
            ("", "A", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn nobody_grants_more_than_it_covers() {
        let stripe = of("secret:STRIPE_*:write");
        for less in ["secret:STRIPE_*:write", "secret:STRIPE_LIVE_*:write", "secret:STRIPE_KEY:write"] {
            assert!(stripe.covers(&of(less)), "{less}");
        }
        for more in ["secret:*:write", "secret:S*:write", "secret:STRIPE_*:*", "*", "secret:*_KEY:write"] {
            assert!(!stripe.covers(&of(more)), "{more}");
        }
        assert!(of("secret:*:*").covers(&stripe) && of("admin:all").covers(&of("*:*:*")));
    }

    #[test]
    fn only_what_is_checked_can_be_granted() {
        for good in [
            "secret:*:read",
            "secret:A_*:write",
            "secret:A:use",
            "secret:*:*",
            "opstack:*:activate",
            "run:*:cancel",
            "dns:read",
        ] {
            assert!(of(good).is_grantable(), "{good}");
        }
        for bad in [
            "secret:*:reveal",
            "run:*:write",
            "kv:*:*",
            "stack:*:*",
            "opstack:shop:update",
            "*:*:read",
            "secrets:*:read",
        ] {
            assert!(!of(bad).is_grantable(), "{bad}");
        }
    }
}
