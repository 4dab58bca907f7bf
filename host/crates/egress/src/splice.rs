//! Fills a draft's holes: the only place where a secret meets an outgoing request.

use bytes::Bytes;
use model::{CredentialId, Destination, FormatTemplate, Path, Sealed, SealedPart, SecretName, Value};
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use url::Url;
use vault::{Credentials, Entry, SecretBag, Splice};
use zeroize::Zeroizing;

use crate::coding::ACCEPTED;
use crate::draft::{Draft, DraftBody, Place, header_text};
use crate::error::Error;
use crate::scrub::Mask;
use crate::wire::{self, Encoding, Pieces};

/// A request with its secrets. It cannot be printed, copied or looked into; sending
/// consumes it, and its buffers are wiped when the connection has taken them.
///
/// ```compile_fail,E0277
/// fn f(m: txco_egress::Materialized) { let _ = format!("{m:?}"); }
/// ```
/// ```compile_fail,E0277
/// fn f(m: txco_egress::Materialized) { let _ = format!("{m}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(m: txco_egress::Materialized) { let _ = m.clone(); }
/// ```
/// ```compile_fail,E0369
/// fn f(m: txco_egress::Materialized, n: txco_egress::Materialized) -> bool { m == n }
/// ```
/// ```compile_fail,E0277
/// fn needs<T: Default>() {} needs::<txco_egress::Materialized>();
/// ```
/// ```compile_fail,E0616
/// fn f(m: txco_egress::Materialized) { let _ = m.headers; }
/// ```
pub struct Materialized {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
}

/// A request ready to go, with what is needed when its reply comes.
pub(crate) struct Spliced {
    pub(crate) request: Materialized,
    pub(crate) mask: Mask,
    pub(crate) not_sent: Vec<Path>,
    /// Whether a secret or credential is in it, and the name of one.
    pub(crate) bears: Option<Option<SecretName>>,
    /// The credentials in it.
    pub(crate) sent: Vec<CredentialId>,
}

impl Materialized {
    /// The request as the client library wants it; `url` is where it is dialled.
    pub(crate) fn into_request(self, url: Url, host: Option<HeaderValue>) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method, url);
        *request.headers_mut() = self.headers;
        if let Some(host) = host {
            request.headers_mut().insert(reqwest::header::HOST, host);
        }
        *request.body_mut() = self.body.map(reqwest::Body::from);
        request
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }
}

/// Fills `draft` from `bag` and `credentials`.
pub(crate) fn splice(
    mut draft: Draft,
    bag: &SecretBag<Splice>,
    credentials: &Credentials,
    agent: &str,
) -> Result<Spliced, Error> {
    if bag.entries().next().is_some() && bag.destination() != draft.destination() {
        return Err(Error::DestinationChanged {
            packed: bag.destination().clone(),
            asked: draft.destination().clone(),
        });
    }
    for hole in &draft.holes {
        if !bag.entries().any(|entry| entry.slot == &hole.slot) {
            return Err(Error::Unfilled { slot: hole.slot.to_string(), secret: hole.name.clone() });
        }
    }
    let not_sent = draft.drop_foreign_credentials();
    let destination = draft.destination().clone();
    let mut work =
        Work { pieces: Vec::new(), credentials, destination: &destination, mask: Mask::new(), bears: None };
    let (mut places, mut overlays) = (Vec::new(), Vec::new());
    for entry in bag.entries() {
        match draft.place(entry.slot, entry.name)? {
            Place::Header(name) if places.iter().any(|(n, _)| *n == name) => {
                return Err(Error::HeaderTwice(name.as_str().to_owned()));
            }
            Place::Header(name) => places.push((name, entry)),
            Place::Body(path) => overlays.push((path, entry)),
        }
    }
    let body = work.body(&mut draft, overlays)?;
    let mut headers = defaults(agent, body.as_ref().map(|(_, content_type)| *content_type))?;
    for (name, value) in &draft.headers {
        let value = match value {
            Value::Sealed(sealed) => work.sealed_header(name, sealed)?,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => HeaderValue::from_bytes(header_text(value).as_bytes())
                .map_err(|_| Error::HeaderValue(name.as_str().to_owned()))?,
        };
        headers.insert(name, value);
    }
    for (name, entry) in places {
        let value = work.secret_header(&name, entry)?;
        headers.insert(name, value);
    }
    let of = |piece: &Piece<'_>| match piece {
        Piece::Credential(id) => Some(*id),
        Piece::Secret(_) => None,
    };
    let sent = work.pieces.iter().filter_map(of).collect();
    Ok(Spliced {
        request: Materialized {
            method: draft.method,
            url: draft.url,
            headers,
            body: body.map(|(bytes, _)| Bytes::from_owner(bytes)),
        },
        mask: work.mask,
        not_sent,
        bears: work.bears,
        sent,
    })
}

/// The chassis's own headers. `Accept-Encoding` is never a rule's: the mask reads replies.
fn defaults(agent: &str, content_type: Option<&'static str>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let agent = HeaderValue::from_str(agent).map_err(|_| Error::Internal("the agent's name is no header"))?;
    headers.insert(USER_AGENT, agent);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Ok(headers)
}

/// A body as it will travel, and its content type.
type Written = (Zeroizing<Vec<u8>>, &'static str);

/// What fills one hole.
enum Piece<'a> {
    Secret(Entry<'a>),
    Credential(CredentialId),
}

/// The pieces of one request. A tree that is about to be written names them by their
/// number here, whatever they were called before.
struct Work<'a> {
    pieces: Vec<Piece<'a>>,
    credentials: &'a Credentials,
    /// Where the request goes: fixed before anything is spliced (R2).
    destination: &'a Destination,
    mask: Mask,
    bears: Option<Option<SecretName>>,
}

impl Pieces for Work<'_> {
    fn show(&self, index: u32, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let piece = usize::try_from(index).ok().and_then(|index| self.pieces.get(index));
        match piece {
            Some(Piece::Secret(entry)) => sink(entry.cleartext.expose()),
            Some(Piece::Credential(id)) => {
                self.credentials.with(*id, |bytes| sink(bytes)).ok_or(Error::CredentialUnknown)?;
            }
            None => return Err(Error::CredentialUnknown),
        }
        Ok(())
    }
}

impl<'a> Work<'a> {
    /// The bytes of the body and their type.
    fn body(
        &mut self,
        draft: &mut Draft,
        overlays: Vec<(Path, Entry<'a>)>,
    ) -> Result<Option<Written>, Error> {
        let (mut tree, encoding) = match std::mem::replace(&mut draft.body, DraftBody::None) {
            DraftBody::None if overlays.is_empty() => return Ok(None),
            DraftBody::None => (Value::object(), Encoding::Json),
            _ if !draft.may_have_body() => {
                return Err(Error::BodyNotAllowed(draft.method.as_str().to_owned()));
            }
            DraftBody::Raw(bytes) => return Ok(Some((Zeroizing::new(bytes), "application/json"))),
            DraftBody::Json(tree) => (tree, Encoding::Json),
            DraftBody::Form(tree) => (tree, Encoding::Form),
        };
        if tree == Value::Null && !overlays.is_empty() {
            tree = Value::object();
        }
        let first = self.pieces.len();
        self.renumber(&mut tree)?;
        for (path, entry) in overlays {
            let format = entry.format;
            let (slot, secret) = (entry.slot.to_string(), entry.name.clone());
            let sealed = formatted(format, self.secret_piece(entry)?);
            tree.set(&path, Value::Sealed(sealed)).map_err(|why| Error::SlotPath { slot, secret, why })?;
        }
        if encoding == Encoding::Json {
            self.refuse_binary(first)?;
        }
        let content_type = match encoding {
            Encoding::Json => "application/json",
            Encoding::Form => "application/x-www-form-urlencoded",
        };
        wire::write(&tree, encoding, self).map(|bytes| Some((bytes, content_type)))
    }

    /// Gives every credential in `tree` its number among the pieces.
    fn renumber(&mut self, tree: &mut Value) -> Result<(), Error> {
        match tree {
            Value::Sealed(sealed) => *sealed = self.renumbered(sealed)?,
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.renumber(item))?,
            Value::Object(members) => members.values_mut().try_for_each(|member| self.renumber(member))?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(())
    }

    fn renumbered(&mut self, sealed: &Sealed) -> Result<Sealed, Error> {
        let mut whole: Option<Sealed> = None;
        let mut before = String::new();
        for part in sealed.parts() {
            match (part, &mut whole) {
                (SealedPart::Text(text), Some(whole)) => whole.push_text(text),
                (SealedPart::Text(text), None) => before.push_str(text),
                (SealedPart::Credential(id), at) => {
                    let piece = Sealed::credential(self.credential_piece(*id)?);
                    match at {
                        Some(whole) => whole.push_sealed(&piece),
                        None => *at = Some(piece),
                    }
                }
            }
        }
        let mut whole = whole.ok_or(Error::CredentialUnknown)?;
        whole.prepend_text(before);
        Ok(whole)
    }

    fn credential_piece(&mut self, id: CredentialId) -> Result<CredentialId, Error> {
        let travels = self.credentials.travels(id, self.destination);
        travels.map_err(|(secret, why)| Error::CredentialDestination { secret, why })?;
        let mask = &mut self.mask;
        self.credentials.with(id, |bytes| mask.add_credential(bytes)).ok_or(Error::CredentialUnknown)?;
        self.bears.get_or_insert(None);
        self.numbered(Piece::Credential(id))
    }

    fn secret_piece(&mut self, entry: Entry<'a>) -> Result<CredentialId, Error> {
        self.mask.add(entry.cleartext.expose());
        self.bears = Some(Some(entry.name.clone()));
        self.numbered(Piece::Secret(entry))
    }

    fn numbered(&mut self, piece: Piece<'a>) -> Result<CredentialId, Error> {
        let index = u32::try_from(self.pieces.len()).map_err(|_| Error::Internal("too many pieces"))?;
        self.pieces.push(piece);
        Ok(CredentialId::new(index))
    }

    /// JSON is UTF-8 (RFC 8259 §8.1). Replacing what is not would send another value than
    /// was stored, so nothing is sent.
    fn refuse_binary(&self, first: usize) -> Result<(), Error> {
        let why = "is not UTF-8, which JSON needs";
        for piece in self.pieces.iter().skip(first) {
            match piece {
                Piece::Secret(entry) if std::str::from_utf8(entry.cleartext.expose()).is_err() => {
                    let place = entry.slot.to_string();
                    return Err(Error::SecretUnusable { place, secret: entry.name.clone(), why });
                }
                Piece::Credential(id)
                    if self.credentials.with(*id, |b| std::str::from_utf8(b).is_err()) == Some(true) =>
                {
                    return Err(Error::CredentialUnusable { place: "the body".to_owned(), why });
                }
                Piece::Secret(_) | Piece::Credential(_) => {}
            }
        }
        Ok(())
    }

    fn sealed_header(&mut self, name: &HeaderName, sealed: &Sealed) -> Result<HeaderValue, Error> {
        let sealed = self.renumbered(sealed)?;
        self.header(&sealed)?
            .ok_or_else(|| Error::CredentialUnusable { place: format!("header {name}"), why: NOT_A_LINE })
    }

    fn secret_header(&mut self, name: &HeaderName, entry: Entry<'a>) -> Result<HeaderValue, Error> {
        let (format, secret) = (entry.format, entry.name.clone());
        let sealed = formatted(format, self.secret_piece(entry)?);
        self.header(&sealed)?.ok_or_else(|| Error::SecretUnusable {
            place: format!("header {name}"),
            secret,
            why: NOT_A_LINE,
        })
    }

    /// The header's value in a wiped buffer, marked so that nothing prints or indexes it;
    /// `None` when it is no header value.
    fn header(&mut self, sealed: &Sealed) -> Result<Option<HeaderValue>, Error> {
        let bytes = wire::write_plain(sealed, self)?;
        self.mask.add(&bytes);
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes)).ok();
        Ok(value.map(|mut value| {
            value.set_sensitive(true);
            value
        }))
    }
}

const NOT_A_LINE: &str = "has a line break or another control character, which a header cannot have";

/// A piece with the text a rule put around it.
fn formatted(format: Option<&FormatTemplate>, piece: CredentialId) -> Sealed {
    let mut sealed = Sealed::credential(piece);
    if let Some(format) = format {
        sealed.prepend_text(format.before().to_owned());
        if !format.after().is_empty() {
            sealed.push_text(format.after());
        }
    }
    sealed
}
