//! What a guest returned, checked, and its credentials sealed.

use model::{Path, Sealed, Value};
use vault::Credentials;

use crate::error::{OutputFlaw, printable};
use crate::hostcalls::Host;
use crate::wire::{FailureOut, Field, Returned, ValueOut};
use crate::{Class, Error, Limits, OpOutput, Over, Trust};

/// The longest failure code and message that are kept, in characters.
const MOST_CODE: usize = 64;
const MOST_MESSAGE: usize = 512;

/// Takes what `handle` returned. The host's copies are wiped on every way out.
pub(crate) fn take(
    returned: Returned,
    host: &mut Host,
    trust: &Trust,
    limits: &Limits,
    credentials: &Credentials,
) -> Result<OpOutput, Error> {
    let fields = returned.map_err(|failure| failed(&failure, host, trust))?;
    let bytes = |sum: usize, field: &Field| sum + field.path.len() + field.value.text().len();
    if fields.iter().fold(0, bytes) > limits.output {
        return Err(Over::Output(limits.output).into());
    }
    let fields = fields
        .into_iter()
        .enumerate()
        .map(|(at, field)| one(&field, at, host, trust, credentials))
        .collect::<Result<_, _>>()?;
    let (log, log_dropped) =
        if withheld(host, trust) { (Vec::new(), host.drop_log()) } else { (host.take_log(), 0) };
    let log = log.iter().map(|line| printable(line, limits.log_line_bytes)).collect();
    Ok(OpOutput { fields, log, log_dropped })
}

/// Whether words of the guest's own choice may carry a secret (R21).
fn withheld(host: &Host, trust: &Trust) -> bool {
    *trust == Trust::Tenant && host.has_shown()
}

fn one(
    field: &Field,
    at: usize,
    host: &Host,
    trust: &Trust,
    credentials: &Credentials,
) -> Result<(Path, Value), Error> {
    let flawed = |why| Error::Output { field: at, why };
    match trust {
        Trust::Builtin { classes, .. } if !classes.contains(&field.class) => {
            return Err(flawed(OutputFlaw::ClassNotLocked));
        }
        Trust::Tenant if host.has_shown() && field.class != Class::Credential => {
            return Err(flawed(OutputFlaw::RevealedMustBeCredential));
        }
        Trust::Builtin { .. } | Trust::Tenant => {}
    }
    let path = Path::parse_sugared(&field.path).map_err(|_| flawed(OutputFlaw::Path))?;
    let value = match (field.class, &field.value) {
        (Class::Credential, ValueOut::Text(text)) => {
            let id = host.bag().derive(credentials, text.as_bytes());
            Value::Sealed(Sealed::credential(id.map_err(|error| Error::Credential(error.failure()))?))
        }
        (Class::Credential, ValueOut::Json(_)) => return Err(flawed(OutputFlaw::CredentialNotText)),
        (Class::Data | Class::Digest, ValueOut::Text(text)) => Value::from(text.as_str()),
        (Class::Data | Class::Digest, ValueOut::Json(text)) => {
            Value::parse(text.as_bytes()).map_err(|_| flawed(OutputFlaw::NotJson))?
        }
    };
    Ok((path, value))
}

fn failed(failure: &FailureOut, host: &Host, trust: &Trust) -> Error {
    if withheld(host, trust) {
        // Any word could be the secret; a code of a declared list comes with op manifests.
        let code = "failed".to_owned();
        return Error::Failed { code, message: "its words are withheld: it was shown a secret".to_owned() };
    }
    let code = printable(&failure.code, MOST_CODE);
    Error::Failed { code, message: printable(&failure.message, MOST_MESSAGE) }
}
