//! An outgoing request with holes where the secrets go: printable in full.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use model::{CREDENTIAL_TEXT, Destination, DestinationError, HostRule, Path, SecretRef, Slot, Value};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use crate::error::Error;

/// How long a request may take when nobody says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Headers that belong to the connection or to the chassis (R3). A rule that could set
/// them could smuggle a second request, or a reply the mask cannot read.
const FORBIDDEN: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
    "keep-alive",
    "trailer",
    "expect",
    "accept-encoding",
];

/// What a request says.
#[derive(Debug, Clone, PartialEq)]
pub enum DraftBody {
    /// Nothing.
    None,
    /// A JSON document; secrets may go into its fields.
    Json(Value),
    /// The members of an object as a form, `a[b]=c`; secrets may go into its fields.
    Form(Value),
    /// Bytes as they are: exactly what a signature covers. No secret goes into them.
    Raw(Vec<u8>),
}

/// An outgoing request with holes. It knows the *places* of secrets and credentials, never
/// their bytes, so it may be printed anywhere. [`Client::send`](crate::Client::send)
/// fills it.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) destination: Destination,
    pub(crate) headers: Vec<(HeaderName, Value)>,
    pub(crate) body: DraftBody,
    pub(crate) own: Vec<Path>,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) arriving: Vec<Path>,
    pub(crate) arriving_hosts: BTreeSet<HostRule>,
    pub(crate) holes: Vec<SecretRef>,
}

/// Where in a request a slot points.
pub(crate) enum Place {
    Header(HeaderName),
    Body(Path),
}

impl Draft {
    /// A request to `url`, without headers and body.
    ///
    /// # Errors
    /// [`Error::Url`] when there is nothing to call, or when `user:password@` stands in the
    /// URL; [`Error::Method`].
    pub fn new(url: &str, method: &str) -> Result<Self, Error> {
        let destination = Destination::of(url)?;
        let mut url = Url::parse(url).map_err(|_| DestinationError::NotAUrl)?;
        url.set_fragment(None);
        // CONNECT would make a tunnel of the connection, TRACE would echo every header.
        let method = Method::from_bytes(method.as_bytes())
            .ok()
            .filter(|m| *m != Method::CONNECT && *m != Method::TRACE && m.as_str().len() <= 32)
            .ok_or_else(|| Error::Method(method.chars().take(32).collect()))?;
        Ok(Self {
            method,
            url,
            destination,
            headers: Vec::new(),
            body: DraftBody::None,
            own: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            retries: 0,
            arriving: Vec::new(),
            arriving_hosts: BTreeSet::new(),
            holes: Vec::new(),
        })
    }

    /// As [`Draft::new`], from values as rules compute them.
    ///
    /// # Errors
    /// [`Error::CredentialNotAllowedHere`] when one of them has a credential in it: a URL
    /// ends up in other people's logs.
    pub fn from_values(url: &Value, method: &Value) -> Result<Self, Error> {
        let text = |value: &Value, place| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Ok(String::new())
            }
            Value::Sealed(_) => Err(Error::CredentialNotAllowedHere(place)),
        };
        Self::new(&text(url, "a URL")?, &text(method, "a method")?)
    }

    /// Sets headers: texts, numbers, booleans or sealed values; `null` sets nothing.
    ///
    /// # Errors
    /// [`Error::HeaderName`], [`Error::HeaderForbidden`], [`Error::HeaderTwice`],
    /// [`Error::HeaderValue`], [`Error::HeaderType`].
    pub fn headers(mut self, headers: Vec<(String, Value)>) -> Result<Self, Error> {
        for (name, value) in headers {
            let name = header_name(&name)?;
            if self.headers.iter().any(|(n, _)| *n == name) {
                return Err(Error::HeaderTwice(name.as_str().to_owned()));
            }
            match &value {
                Value::Null => continue,
                Value::Bool(_) | Value::Number(_) | Value::Sealed(_) => {}
                Value::String(text) if HeaderValue::from_bytes(text.as_bytes()).is_ok() => {}
                Value::String(_) => return Err(Error::HeaderValue(name.as_str().to_owned())),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Error::HeaderType(name.as_str().to_owned()));
                }
            }
            self.headers.push((name, value));
        }
        Ok(self)
    }

    /// Adds parameters to the URL's query, each escaped (RFC 3986 §2.1).
    #[must_use]
    pub fn query(mut self, pairs: &[(String, String)]) -> Self {
        if !pairs.is_empty() {
            self.url.query_pairs_mut().extend_pairs(pairs);
        }
        self
    }

    /// Lets it be sent so many times more, when the upstream is not there, breaks off, or
    /// says that it may be better later. Headers come first.
    ///
    /// # Errors
    /// [`Error::RetryUnsafe`] when sending it twice could do it twice: another method than
    /// GET, HEAD, OPTIONS, PUT or DELETE, and no `Idempotency-Key`.
    pub fn retries(mut self, retries: u32) -> Result<Self, Error> {
        let keyed = self.headers.iter().any(|(name, _)| name == "idempotency-key");
        let safe = matches!(
            self.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        );
        if retries > 0 && !safe && !keyed {
            return Err(Error::RetryUnsafe(self.method.as_str().to_owned()));
        }
        self.retries = retries;
        Ok(self)
    }

    /// Names the members of the reply's JSON body that are credentials: they are held and
    /// never seen, and may go back, and to `hosts`. A good reply without one of them is an error.
    #[must_use]
    pub fn arriving(mut self, paths: Vec<Path>, hosts: BTreeSet<HostRule>) -> Self {
        (self.arriving, self.arriving_hosts) = (paths, hosts);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: DraftBody) -> Self {
        self.body = body;
        self
    }

    /// Names the places of the body that this rule wrote itself (R2): a credential anywhere
    /// else is left out of the request, and [`Reply::not_sent`](crate::Reply) says where.
    /// Paths start at the body's own root.
    #[must_use]
    pub fn own(mut self, own: Vec<Path>) -> Self {
        self.own = own;
        self
    }

    /// As [`Draft::own`], for a body that is the value at `root` of the document in which
    /// the paths start.
    #[must_use]
    pub fn own_below(self, own: &[Path], root: &Path) -> Self {
        let root: Vec<&str> = root.segments().iter().map(model::Segment::as_str).collect();
        let below = own.iter().filter_map(|path| {
            let above = path.segments().iter().zip(&root).all(|(a, b)| a.as_str() == *b);
            let above = above && path.segments().len() <= root.len();
            if above { Some(Path::default()) } else { path.strip_prefix(&root) }
        });
        self.own(below.collect())
    }

    /// Makes a JSON body the member `name` of an object that has also `beside`.
    #[must_use]
    pub fn inside(mut self, name: &str, beside: &str, value: Value) -> Self {
        if let DraftBody::Json(body) = self.body {
            let members = [(name.to_owned(), body), (beside.to_owned(), value)];
            self.body = DraftBody::Json(members.into_iter().collect());
            let inner = |path: &Path| {
                let segments = path.segments().iter().map(model::Segment::as_str);
                Path::from_segments(std::iter::once(name).chain(segments)).ok()
            };
            self.own = self.own.iter().filter_map(inner).collect();
        }
        self
    }

    /// Sets the time from the first packet to the last byte of the reply.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Says where secrets will go, so that a malformed clause fails before anything is
    /// opened, and so that the draft prints them. Every hole must be filled by the bag.
    ///
    /// # Errors
    /// [`Error::Slot`], [`Error::HeaderTwice`].
    pub fn secrets(mut self, refs: &[SecretRef]) -> Result<Self, Error> {
        for one in refs {
            self.place(&one.slot, &one.name)?;
        }
        self.holes = refs.to_vec();
        Ok(self)
    }

    /// `GET`, `POST`, …
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The time that it has.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.timeout
    }

    /// Where it goes.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The place in this request that `slot` names.
    pub(crate) fn place(&self, slot: &Slot, secret: &model::SecretName) -> Result<Place, Error> {
        let wrong = |why| Err(Error::Slot { slot: slot.to_string(), secret: secret.clone(), why });
        let segments = slot.path().segments();
        let Some((kind, rest)) = segments.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return wrong("must be headers.<name> or body.<path>");
        };
        match kind.as_str() {
            "headers" => {
                // A header name may have dots, which the path took for its own.
                let name: Vec<&str> = rest.iter().map(model::Segment::as_str).collect();
                match header_name(&name.join(".")) {
                    Ok(name) if self.headers.iter().any(|(n, _)| *n == name) => {
                        Err(Error::HeaderTwice(name.as_str().to_owned()))
                    }
                    Ok(name) => Ok(Place::Header(name)),
                    Err(Error::HeaderForbidden(_)) => wrong("this header is set by the chassis"),
                    Err(_) => wrong("not a header name"),
                }
            }
            "body" if !self.may_have_body() => wrong("only POST, PUT and PATCH requests have a body"),
            "body" => match &self.body {
                DraftBody::Raw(_) => wrong("a raw body takes no secrets"),
                DraftBody::Json(Value::Object(_) | Value::Array(_) | Value::Null)
                | DraftBody::Form(Value::Object(_) | Value::Array(_) | Value::Null)
                | DraftBody::None => Ok(Place::Body(
                    Path::from_segments(rest.iter().map(|s| s.as_str().to_owned())).unwrap_or_default(),
                )),
                DraftBody::Json(_) | DraftBody::Form(_) => wrong("the body is no object"),
            },
            _ => wrong("must be headers.<name> or body.<path>"),
        }
    }

    /// Whether requests of this method have a body.
    pub(crate) fn may_have_body(&self) -> bool {
        matches!(self.method, Method::POST | Method::PUT | Method::PATCH)
    }

    /// Takes the credentials out of the body that no rule named (R2), and says where they were.
    pub(crate) fn drop_foreign_credentials(&mut self) -> Vec<Path> {
        let own = &self.own;
        let (DraftBody::Json(body) | DraftBody::Form(body)) = &mut self.body else {
            return Vec::new();
        };
        let mut dropped = Vec::new();
        drop_foreign(body, &mut Vec::new(), own, &mut dropped);
        dropped
    }
}

fn drop_foreign(value: &mut Value, at: &mut Vec<String>, own: &[Path], dropped: &mut Vec<Path>) {
    match value {
        Value::Sealed(_) => {
            let is_own = own.iter().any(|path| {
                let path = path.segments();
                path.len() <= at.len() && path.iter().zip(at.iter()).all(|(a, b)| a.as_str() == b)
            });
            if !is_own {
                dropped.extend(Path::from_segments(at.clone()));
                *value = Value::Null;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                at.push(index.to_string());
                drop_foreign(item, at, own, dropped);
                at.pop();
            }
        }
        Value::Object(members) => {
            members.retain(|name, member| {
                at.push(name.to_string());
                let was_sealed = matches!(member, Value::Sealed(_));
                drop_foreign(member, at, own, dropped);
                at.pop();
                !(was_sealed && *member == Value::Null)
            });
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The name, canonical, when a rule may set it.
fn header_name(name: &str) -> Result<HeaderName, Error> {
    let shown = || name.chars().take(64).collect::<String>();
    let canonical = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::HeaderName(shown()))?;
    if FORBIDDEN.contains(&canonical.as_str()) || canonical.as_str().starts_with("proxy-") {
        return Err(Error::HeaderForbidden(canonical.as_str().to_owned()));
    }
    Ok(canonical)
}

/// A header's value as text, with sealed values as their fixed text.
pub(crate) fn header_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Sealed(_) => CREDENTIAL_TEXT.to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_json()
        }
    }
}

/// The request as text, for traces and people: `[secret NAME]` and `[credential]` where
/// their bytes will be.
impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.method, self.url)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", header_text(value))?;
        }
        for hole in &self.holes {
            let hidden = format!("[secret {}]", hole.name);
            let shown = match &hole.format {
                Some(format) => format!("{}{hidden}{}", format.before(), format.after()),
                None => hidden,
            };
            match hole.slot.path().strip_prefix(&["headers"]) {
                Some(name) => writeln!(f, "{name}: {shown}")?,
                None => writeln!(f, "({}: {shown})", hole.slot)?,
            }
        }
        match &self.body {
            DraftBody::None => Ok(()),
            DraftBody::Json(body) | DraftBody::Form(body) => write!(f, "\n{}", body.to_json()),
            DraftBody::Raw(bytes) => write!(f, "\n{}", String::from_utf8_lossy(bytes)),
        }
    }
}

#[cfg(test)]
mod tests;
