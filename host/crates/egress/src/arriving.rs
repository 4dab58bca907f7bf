//! Credentials that come with a reply: taken out and held before anything else sees it (R1).
//!
//! A token that an upstream mints is a secret from the moment it arrives. The rule says
//! where in the reply it is; what stands there goes to the request's `Credentials`, and the
//! reply has `[credential]` in its place. Wherever else in the reply it stands, it is masked.

use model::{CREDENTIAL_TEXT, Path, Sealed, Value};
use vault::{Bonds, Credentials};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::scrub::Mask;

/// A reply's body without its credentials.
pub(crate) struct Taken {
    /// The rest, as JSON text with [`CREDENTIAL_TEXT`] in their places.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// What is where.
    pub(crate) found: Vec<(Path, Sealed)>,
    /// What the rest of the reply must not have in it either.
    pub(crate) mask: Mask,
    /// Named by the rule and not there.
    pub(crate) absent: Vec<Path>,
}

/// Takes what is at `paths` out of `body`. Of a body that is no JSON object nothing is left:
/// where its credentials are cannot be told.
pub(crate) fn take(
    body: &[u8],
    paths: &[Path],
    credentials: &Credentials,
    bonds: &Bonds,
) -> Result<Taken, Error> {
    let mut taken =
        Taken { body: Zeroizing::default(), found: Vec::new(), mask: Mask::new(), absent: Vec::new() };
    let Ok(mut document @ Value::Object(_)) = Value::parse(body) else {
        taken.absent = paths.to_vec();
        return Ok(taken);
    };
    for path in paths {
        let bytes = match document.get(path) {
            Some(Value::String(text)) if !text.is_empty() => Zeroizing::new(text.as_bytes().to_vec()),
            // Neither can be held, and neither may go on as it is.
            Some(Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(Error::CredentialShape(path.clone()));
            }
            _ => {
                taken.absent.push(path.clone());
                continue;
            }
        };
        let id = credentials.arrive(&bytes, bonds).map_err(|_| Error::TooManyCredentials)?;
        taken.mask.add_credential(&bytes);
        // It was just there, so it can be written.
        let _infallible = document.set(path, Value::from(CREDENTIAL_TEXT));
        taken.found.push((path.clone(), Sealed::credential(id)));
    }
    taken.body = Zeroizing::new(document.to_json().into_bytes());
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bonds() -> Bonds {
        let from = model::Destination::of("https://a.example/").unwrap();
        vault::SecretBag::<vault::Splice>::empty(from.clone()).bonds(from, Default::default())
    }

    fn paths(texts: &[&str]) -> Vec<Path> {
        texts.iter().map(|text| Path::parse(text).unwrap()).collect()
    }

    #[test]
    fn what_is_named_is_held_and_gone() {
        let credentials = Credentials::new();
        let body = br#"{"access_token":"tok-123456","a":{"refresh":"ref-123456"},"n":1,"empty":""}"#;
        let taken =
            take(body, &paths(&["access_token", "a.refresh", "no.where", "empty"]), &credentials, &bonds())
                .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&taken.body),
            r#"{"access_token":"[credential]","a":{"refresh":"[credential]"},"n":1,"empty":""}"#
        );
        assert_eq!(taken.absent, paths(&["no.where", "empty"]));
        let held: Vec<Vec<u8>> = taken
            .found
            .iter()
            .flat_map(|(_, sealed)| sealed.credentials())
            .map(|id| credentials.with(id, <[u8]>::to_vec).unwrap())
            .collect();
        assert_eq!(held, [b"tok-123456".to_vec(), b"ref-123456".to_vec()]);
    }

    #[test]
    fn what_cannot_be_held_does_not_go_on() {
        let credentials = Credentials::new();
        for body in [r#"{"t":{"x":1}}"#, r#"{"t":[1]}"#, r#"{"t":12345678}"#] {
            assert!(matches!(
                take(body.as_bytes(), &paths(&["t"]), &credentials, &bonds()),
                Err(Error::CredentialShape(_))
            ));
        }
        for body in ["access_token=tok-123456", "[\"tok-123456\"]", "\"tok-123456\""] {
            let taken = take(body.as_bytes(), &paths(&["t"]), &credentials, &bonds()).unwrap();
            assert!(taken.body.is_empty() && taken.found.is_empty(), "{body}");
            assert_eq!(taken.absent, paths(&["t"]));
        }
    }
}
