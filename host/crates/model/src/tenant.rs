//! Who owns rules, secrets and requests.

use crate::name::validated_name;

validated_name!(
    /// A tenant's row identifier, part of every storage key and of every AAD.
    TenantId,
    "tenant id",
    "expected tnt_ and letters, digits, _ or -",
    |text| text.strip_prefix("tnt_").is_some_and(|rest| {
        !rest.is_empty()
            && rest.len() <= 64
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
);

validated_name!(
    /// A tenant's name for people, as in `--tenant acme`.
    TenantSlug,
    "tenant slug",
    "expected 1 to 63 of a-z, 0-9 and -, starting with a letter or digit (only the chassis's own begin with _)",
    |text| {
        let own = text.strip_prefix('_').unwrap_or(text);
        !own.is_empty()
            && text.len() <= 63
            && !own.starts_with('-')
            && own.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

impl TenantSlug {
    /// The tenant every event belongs to until there are several.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self("default".into())
    }

    /// Whether the slug is the chassis's own and may not be created by people.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.as_str().starts_with('_')
    }
}
