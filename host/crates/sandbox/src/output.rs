//! What a guest returned, held against its manifest and its grant, and its credentials sealed.

use model::{Class, OpManifest, Path, Reach, Sealed, Value};
use vault::Credentials;
use zeroize::Zeroize as _;

use crate::error::{OutputFlaw, printable};
use crate::hostcalls::{Contact, Host};
use crate::wire::{ClassOut, FailureOut, Field, Returned, ValueOut};
use crate::{Error, Limits, OpOutput, Over, Trust};

/// The longest failure message that is kept, in characters.
const MOST_MESSAGE: usize = 512;
/// The failure code of an op that may not choose another.
const FAILED: &str = "failed";

/// On which terms an op may say something.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) trust: Trust,
    pub(crate) manifest: Option<&'a OpManifest>,
    pub(crate) limits: &'a Limits,
}

/// Takes what `handle` returned. The host's copies are wiped on every way out.
pub(crate) fn take(
    returned: Returned,
    host: &Host,
    terms: Terms<'_>,
    credentials: &Credentials,
) -> Result<OpOutput, Error> {
    let fields = returned.map_err(|failure| terms.failed(&failure, host.contact))?;
    let bytes = |sum: usize, field: &Field| sum + field.path.len() + field.value.text().len();
    if fields.iter().fold(0, bytes) > terms.limits.output {
        return Err(Over::Output(terms.limits.output).into());
    }
    // How many fields there are could be a message too.
    let declared = terms.manifest.map_or(0, |manifest| manifest.outputs.len());
    if terms.withholds(host.contact) && fields.len() > declared {
        return Err(Error::Output { field: declared, why: OutputFlaw::NotDeclared });
    }
    let fields = fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            terms.one(field, host, credentials).map_err(|refused| match refused {
                Refused::Flawed(why) => Error::Output { field: at, why },
                Refused::NotKept(error) => error,
            })
        })
        .collect::<Result<_, _>>()?;
    let (log, log_dropped) = terms.heard(host);
    Ok(OpOutput { fields, log, log_dropped })
}

/// Why a field is not taken.
enum Refused {
    Flawed(OutputFlaw),
    NotKept(Error),
}

impl Terms<'_> {
    /// Whether what the op says may carry a secret that is not its own to tell (R21).
    fn withholds(self, contact: Contact) -> bool {
        self.trust != Trust::Builtin && contact == Contact::Shown
    }

    /// The lines of the op that people may read, and how many there are that they may not.
    pub(crate) fn heard(self, host: &Host) -> (Vec<String>, u32) {
        let (lines, dropped) = (host.log().lines(), host.log().dropped());
        if self.mutes(host.contact) {
            return (Vec::new(), dropped.saturating_add(u32::try_from(lines.len()).unwrap_or(u32::MAX)));
        }
        (lines.iter().map(|line| printable(line, self.limits.log_line_bytes)).collect(), dropped)
    }

    /// Whether words of the op's own choice are kept from people.
    fn mutes(self, contact: Contact) -> bool {
        self.withholds(contact) && self.trust != Trust::Author
    }

    fn one(self, field: &Field, host: &Host, credentials: &Credentials) -> Result<(Path, Value), Refused> {
        let flawed = Refused::Flawed;
        let path = Path::parse_sugared(&field.path).map_err(|_| flawed(OutputFlaw::Path))?;
        let class = Class::from(field.class);
        if let Err(flaw) = self.check(&path, class, host) {
            // An op that was shown a secret can spell it.
            path.into_names().for_each(|mut name| name.zeroize());
            return Err(flawed(flaw));
        }
        let value = match (class, &field.value) {
            (Class::Credential, ValueOut::Text(text)) => {
                let id = host.bags.reveal.derive(credentials, text.as_bytes());
                let id = id.map_err(|error| Refused::NotKept(Error::Credential(error.failure())))?;
                Value::Sealed(Sealed::credential(id))
            }
            (Class::Credential, ValueOut::Json(_)) => return Err(flawed(OutputFlaw::CredentialNotText)),
            (Class::Data | Class::Digest, ValueOut::Text(text)) => Value::from(text.as_str()),
            (Class::Data | Class::Digest, ValueOut::Json(text)) => {
                Value::parse(text.as_bytes()).map_err(|_| flawed(OutputFlaw::NotJson))?
            }
        };
        Ok((path, value))
    }

    /// Whether a field of this class may stand there. An op that had no secret in its hands
    /// may return what it likes.
    fn check(self, path: &Path, class: Class, host: &Host) -> Result<(), OutputFlaw> {
        let reach = match (self.trust, host.contact) {
            (Trust::Tenant | Trust::Author, Contact::None) => return Ok(()),
            (Trust::Builtin, _) | (Trust::Tenant | Trust::Author, Contact::Used) => Reach::Below,
            (Trust::Tenant | Trust::Author, Contact::Shown) => Reach::Exactly,
        };
        if self.withholds(host.contact) && class > host.bags.reveal.may_return() {
            return Err(OutputFlaw::NotAllowed(class));
        }
        let declares = |class: Class| {
            let param = |name: &str| host.param(name)?.as_str().map(str::to_owned);
            self.manifest.is_some_and(|manifest| manifest.allows(path, class, reach, param))
        };
        if declares(class) {
            return Ok(());
        }
        let declared =
            [Class::Data, Class::Digest, Class::Credential].into_iter().find(|other| declares(*other));
        let other = |declared| OutputFlaw::OtherClass { declared, returned: class };
        Err(declared.map_or(OutputFlaw::NotDeclared, other))
    }

    fn failed(self, failure: &FailureOut, contact: Contact) -> Error {
        let declared = self.manifest.is_some_and(|manifest| manifest.failures.contains(&failure.code));
        let free = !self.withholds(contact) && model::is_failure_code(&failure.code);
        let code = if declared || free { failure.code.as_str() } else { FAILED }.to_owned();
        let message = if self.mutes(contact) {
            "its words are withheld: it was shown a secret".to_owned()
        } else {
            printable(&failure.message, MOST_MESSAGE)
        };
        Error::Failed { code, message }
    }
}

impl From<ClassOut> for Class {
    fn from(class: ClassOut) -> Self {
        match class {
            ClassOut::Data => Self::Data,
            ClassOut::Digest => Self::Digest,
            ClassOut::Credential => Self::Credential,
        }
    }
}
