//! One signature of a request: what it covers, what it says of itself, and whether that is what a rule expects.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use parts::http_signature::{Component, Scheme};

use crate::dictionary::{Item, List, Parameters, dictionary};

/// Why a request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    SignatureMissing,
    Malformed,
    NoSuchSignature,
    SeveralSignatures,
    Algorithm,
    NoCreated,
    TooOld,
    TooNew,
    Expired,
    NotCovered,
    UnsupportedComponent,
    ComponentMissing,
    Signature,
    BodyMissing,
    Digest,
}

impl Reason {
    /// Its word for rules.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::SignatureMissing => "signature-missing",
            Self::Malformed => "malformed",
            Self::NoSuchSignature => "no-such-signature",
            Self::SeveralSignatures => "several-signatures",
            Self::Algorithm => "wrong-algorithm",
            Self::NoCreated => "no-created",
            Self::TooOld => "too-old",
            Self::TooNew => "too-new",
            Self::Expired => "expired",
            Self::NotCovered => "not-covered",
            Self::UnsupportedComponent => "unsupported-component",
            Self::ComponentMissing => "component-missing",
            Self::Signature => "bad-signature",
            Self::BodyMissing => "body-missing",
            Self::Digest => "wrong-digest",
        }
    }
}

/// What a rule expects of a signature.
pub(crate) struct Expected<'a> {
    pub(crate) algorithm: Scheme,
    /// What it must cover.
    pub(crate) components: &'a [Component],
    pub(crate) label: Option<&'a str>,
    pub(crate) key_id: Option<&'a str>,
    pub(crate) tag: Option<&'a str>,
    /// Seconds that `created` may lie in the past or the future.
    pub(crate) tolerance: u64,
    pub(crate) now: u64,
}

/// A signature that is as expected; whether it is right is not known yet.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) label: String,
    pub(crate) components: Vec<Component>,
    /// The member of Signature-Input, which is signed, too.
    pub(crate) input: String,
    pub(crate) signature: Vec<u8>,
    pub(crate) created: u64,
    pub(crate) key_id: Option<String>,
    pub(crate) nonce: Option<String>,
}

impl Signed {
    /// The one signature of both headers that is meant.
    pub(crate) fn find(input: &str, signature: &str, expected: &Expected<'_>) -> Result<Self, Reason> {
        let inputs = dictionary(input, |reader| reader.list()).ok_or(Reason::Malformed)?;
        let signatures = dictionary(signature, |reader| reader.value()).ok_or(Reason::Malformed)?;
        let meant = |(label, list): &(&str, List<'_>)| {
            let is = |name, wanted: Option<&str>| {
                wanted.is_none_or(
                    |wanted| matches!(text(&list.parameters, name), Ok(Some(text)) if text == wanted),
                )
            };
            expected.label.is_none_or(|wanted| wanted == *label)
                && is("keyid", expected.key_id)
                && is("tag", expected.tag)
        };
        let mut inputs = inputs.into_iter().filter(meant);
        let (label, list) = inputs.next().ok_or(Reason::NoSuchSignature)?;
        if inputs.next().is_some() {
            return Err(Reason::SeveralSignatures);
        }
        let signature = signatures.into_iter().find(|(other, _)| *other == label);
        match signature.ok_or(Reason::NoSuchSignature)? {
            (_, Item::Bytes(signature)) => Self::of(label, list, signature, expected),
            _ => Err(Reason::Malformed),
        }
    }

    fn of(label: &str, list: List<'_>, signature: Vec<u8>, expected: &Expected<'_>) -> Result<Self, Reason> {
        let parameters = &list.parameters;
        // The rule says which algorithm; a signature that says another is refused.
        if text(parameters, "alg")?.is_some_and(|said| said != expected.algorithm.name()) {
            return Err(Reason::Algorithm);
        }
        let created = number(parameters, "created")?.ok_or(Reason::NoCreated)?;
        if created.saturating_add(expected.tolerance) < expected.now {
            return Err(Reason::TooOld);
        }
        if created > expected.now.saturating_add(expected.tolerance) {
            return Err(Reason::TooNew);
        }
        if number(parameters, "expires")?.is_some_and(|expires| expires <= expected.now) {
            return Err(Reason::Expired);
        }
        let (key_id, nonce) = (text(parameters, "keyid")?, text(parameters, "nonce")?);
        let components = list.items.into_iter().map(component).collect::<Result<Vec<_>, _>>()?;
        if components.iter().enumerate().any(|(at, one)| components.iter().take(at).any(|other| other == one))
        {
            return Err(Reason::Malformed);
        }
        if !expected.components.iter().all(|wanted| components.contains(wanted)) {
            return Err(Reason::NotCovered);
        }
        let (label, key_id, nonce) = (label.to_owned(), key_id.map(str::to_owned), nonce.map(str::to_owned));
        Ok(Self { label, components, input: list.text, signature, created, key_id, nonce })
    }
}

/// A component without parameters, or one parameter of the query.
fn component((item, parameters): (Item, Parameters<'_>)) -> Result<Component, Reason> {
    let Item::Text(name) = item else { return Err(Reason::Malformed) };
    let mut parameters = parameters.into_iter();
    let parameter = match (parameters.next(), parameters.next()) {
        (None, None) => None,
        (Some(("name", Item::Text(parameter))), None) => Some(parameter),
        _ => return Err(Reason::UnsupportedComponent),
    };
    Component::named(&name, parameter).ok_or(Reason::UnsupportedComponent)
}

fn text<'a>(parameters: &'a Parameters<'_>, name: &str) -> Result<Option<&'a str>, Reason> {
    match parameters.iter().find(|(known, _)| *known == name) {
        None => Ok(None),
        Some((_, Item::Text(text))) => Ok(Some(text)),
        Some(_) => Err(Reason::Malformed),
    }
}

fn number(parameters: &Parameters<'_>, name: &str) -> Result<Option<u64>, Reason> {
    match parameters.iter().find(|(known, _)| *known == name) {
        None => Ok(None),
        Some((_, Item::Number(number))) => Ok(Some(*number)),
        Some(_) => Err(Reason::Malformed),
    }
}
