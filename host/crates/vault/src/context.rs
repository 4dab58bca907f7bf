//! What a sealed row is bound to: the associated data of both layers, in both layouts.
//!
//! Scheme 1 is the Go chassis's text and only ever read. Scheme 2 is ours
//! (`host/docs/decisions/0001-aad-scheme-2.md`): every field behind its length, so that
//! no two contexts have the same bytes whatever the fields contain.

use model::{Digest, Id, StackName};
use store::{AadScheme, ActiveSecret, PolicyRow, SealedVersion, SecretAddress, WrappedRow};

use crate::encoding::Encoding;
use crate::error::Unopened;

/// The version of a secret that a value and a DEK are sealed for.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) secret_id: &'a str,
    pub(crate) version_no: u32,
    pub(crate) name: &'a str,
    /// The stack, or empty for a tenant-wide secret.
    pub(crate) stack: &'a str,
    /// How the value becomes a key, as the row says it; part of the value layer because it
    /// must never change.
    pub(crate) key_encoding: &'a str,
    /// The policy that the DEK is wrapped under.
    pub(crate) policy: Option<Digest>,
    pub(crate) scheme: AadScheme,
}

impl<'a> Context<'a> {
    /// What `version` of `secret` says that it is bound to.
    pub(crate) fn of_version(secret: &'a ActiveSecret, version: &'a SealedVersion) -> Result<Self, Unopened> {
        let sealed = version.sealed.as_ref().ok_or(Unopened::UnknownScheme)?;
        Ok(Self {
            tenant_id: secret.tenant_id.as_str(),
            secret_id: secret.secret_id.as_str(),
            version_no: version.version_no,
            name: secret.name.as_str(),
            stack: &secret.stack,
            key_encoding: written(version.key_encoding.as_deref()),
            policy: digest(secret.policy.as_ref())?,
            scheme: sealed.scheme,
        })
    }

    /// What a version at `address` is to be bound to; whoever seals it names the scheme.
    pub(crate) fn at(
        address: &SecretAddress<'a>,
        secret_id: &'a Id,
        version_no: u32,
        encoding: Encoding,
        policy: Option<Digest>,
    ) -> Self {
        Self {
            tenant_id: address.tenant.as_str(),
            secret_id: secret_id.as_str(),
            version_no,
            name: address.name.as_str(),
            stack: address.stack.map_or("", StackName::as_str),
            key_encoding: encoding.word(),
            policy,
            scheme: AadScheme::One { key_version: 0, key_id: None },
        }
    }

    /// What a row says it is bound to; `None` for a layout that this build does not know.
    pub(crate) fn of(row: &'a WrappedRow) -> Option<Self> {
        row.scheme.map(|scheme| Self::under(row, scheme))
    }

    /// The same with another layout or key.
    pub(crate) fn under(row: &'a WrappedRow, scheme: AadScheme) -> Self {
        Self {
            tenant_id: &row.tenant_id,
            secret_id: &row.secret_id,
            version_no: row.version_no,
            name: &row.name,
            stack: &row.stack,
            key_encoding: written(row.key_encoding.as_deref()),
            policy: row.policy,
            scheme,
        }
    }

    /// Binds the value: nothing in it ever changes, so that rewrapping the DEK under
    /// another key or policy leaves the value alone (R10).
    pub(crate) fn value_aad(&self) -> Vec<u8> {
        match self.scheme {
            AadScheme::One { key_version, .. } => format!(
                "{}|{}|{}|{}|{key_version}",
                self.tenant_id, self.secret_id, self.version_no, self.name
            )
            .into_bytes(),
            AadScheme::Two { .. } => framed(&[
                b"txco/secret/value/2",
                self.tenant_id.as_bytes(),
                self.secret_id.as_bytes(),
                &self.version_no.to_be_bytes(),
                self.name.as_bytes(),
                self.key_encoding.as_bytes(),
            ]),
        }
    }

    /// Binds the DEK: also to the stack, the policy and the key that wraps it.
    pub(crate) fn dek_aad(&self) -> Vec<u8> {
        match self.scheme {
            AadScheme::One { key_version, .. } => {
                format!("{}|{}|{}|{key_version}", self.tenant_id, self.secret_id, self.version_no)
                    .into_bytes()
            }
            AadScheme::Two { key_id } => framed(&[
                b"txco/secret/dek/2",
                self.tenant_id.as_bytes(),
                self.secret_id.as_bytes(),
                &self.version_no.to_be_bytes(),
                self.name.as_bytes(),
                self.stack.as_bytes(),
                self.policy.as_ref().map_or(&[], |digest| digest.as_bytes().as_slice()),
                key_id.as_bytes(),
            ]),
        }
    }
}

/// The encoding that a column says; rows from before there were encodings say nothing.
pub(crate) fn written(key_encoding: Option<&str>) -> &str {
    key_encoding.unwrap_or("text")
}

/// What a policy adds to a context. One that this build does not know opens nothing: what it
/// forbids would be allowed.
pub(crate) fn digest(policy: Option<&PolicyRow>) -> Result<Option<Digest>, Unopened> {
    match policy {
        None => Ok(None),
        Some(PolicyRow::Known(_, digest)) => Ok(Some(*digest)),
        Some(PolicyRow::Unknown) => Err(Unopened::UnknownPolicy),
    }
}

/// Each field behind its length as four bytes, big-endian. Fields are short: ids, names
/// and digests; one that did not fit would be cut to a length no reader could match.
pub(crate) fn framed(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(fields.iter().map(|field| field.len() + 4).sum());
    for field in fields {
        bytes.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use store::KeyId;

    use super::*;

    fn context(scheme: AadScheme) -> Context<'static> {
        Context {
            tenant_id: "tnt_default",
            secret_id: "sec_TEST",
            version_no: 1,
            name: "STRIPE_API_KEY",
            stack: "",
            key_encoding: "text",
            policy: None,
            scheme,
        }
    }

    #[test]
    fn scheme_1_is_the_text_of_the_specification() {
        let context = context(AadScheme::One { key_version: 1, key_id: None });
        assert_eq!(context.value_aad(), b"tnt_default|sec_TEST|1|STRIPE_API_KEY|1");
        assert_eq!(context.dek_aad(), b"tnt_default|sec_TEST|1|1");
    }

    /// Moving a byte from one field to its neighbour gives other bytes: the framing is injective.
    #[test]
    fn scheme_2_tells_every_neighbouring_pair_of_fields_apart() {
        let two = AadScheme::Two { key_id: KeyId::new([7; 8]) };
        let base = || context(two);
        let variants = [
            base(),
            Context { tenant_id: "tnt_defaults", secret_id: "ec_TEST", ..base() },
            Context { name: "STRIPE_API_KEYa", stack: "b", ..base() },
            Context { name: "STRIPE_API_KEY", stack: "ab", ..base() },
            Context { version_no: 2, ..base() },
            Context { policy: Some(Digest::of(b"policy")), ..base() },
            Context { scheme: AadScheme::Two { key_id: KeyId::new([8; 8]) }, ..base() },
        ];
        let dek: HashSet<_> = variants.iter().map(Context::dek_aad).collect();
        assert_eq!(dek.len(), variants.len());
        // The value layer knows neither stack, policy nor key: the variants in these only are the base.
        let value: HashSet<_> = variants.iter().map(Context::value_aad).collect();
        assert_eq!(value.len(), variants.len() - 3);
        // And the DEK layer does not know how the value is read.
        let hex = Context { key_encoding: "hex", ..base() };
        assert_eq!(hex.dek_aad(), base().dek_aad());
        assert!(!value.contains(&hex.value_aad()));
    }
}
