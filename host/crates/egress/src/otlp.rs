//! The way to a collector of metrics: one address, one kind of request.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::client::http_client;
use crate::error::Error;
use crate::tls;

/// Why numbers were not exported. Neither the address's path and query nor a header is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// Not an address.
    #[error("the endpoint is not an http or https URL without a user")]
    Endpoint,
    /// Not a header.
    #[error("{0:?} is not the name of a header, or its value is not one")]
    Header(String),
    /// Nobody there, or nobody who speaks HTTP.
    #[error("no connection to {0}")]
    Unreachable(String),
    /// Too slow.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// It does not want them.
    #[error("{host} answered {status}")]
    Refused {
        /// Who.
        host: String,
        /// With what.
        status: u16,
    },
    /// A fault of this crate.
    #[error("{0}")]
    Internal(#[from] Error),
}

/// A client for one collector. No proxy, no redirects. Its headers may hold a key, so it
/// cannot be printed.
///
/// ```compile_fail,E0277
/// fn f(c: txco_egress::OtlpClient) { let _ = format!("{c:?}"); }
/// ```
pub struct OtlpClient {
    endpoint: Url,
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
    http: reqwest::Client,
}

impl OtlpClient {
    /// A client for the collector at `endpoint`, whose operator is ours: the address policy
    /// of ops is not asked.
    ///
    /// # Errors
    /// [`OtlpError::Endpoint`], [`OtlpError::Header`].
    pub fn new(
        endpoint: &str,
        headers: &[(String, Zeroizing<String>)],
        timeout: Duration,
    ) -> Result<Self, OtlpError> {
        let url = Url::parse(endpoint).map_err(|_| OtlpError::Endpoint)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.has_host();
        if !plain || !matches!(url.scheme(), "http" | "https") {
            return Err(OtlpError::Endpoint);
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let wrong = || OtlpError::Header(name.clone());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            map.insert(header, value);
        }
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let shown = url.origin().ascii_serialization();
        let http = http_client(tls::config(&[])?, None)?;
        Ok(Self { endpoint: url, shown, headers: map, timeout, http })
    }

    /// Sends a request once; the next one brings the same numbers and more.
    ///
    /// # Errors
    /// [`OtlpError`].
    pub async fn send(&self, body: Vec<u8>) -> Result<(), OtlpError> {
        let mut request = reqwest::Request::new(Method::POST, self.endpoint.clone());
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = Some(body.into());
        let sent = tokio::time::timeout(self.timeout, self.http.execute(request)).await;
        let reply = sent
            .map_err(|_| OtlpError::Timeout(self.shown.clone()))?
            .map_err(|_| OtlpError::Unreachable(self.shown.clone()))?;
        match reply.status() {
            status if status.is_success() => Ok(()),
            status => Err(OtlpError::Refused { host: self.shown.clone(), status: status.as_u16() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(endpoint: &str, headers: &[(&str, &str)]) -> String {
        let headers: Vec<_> =
            headers.iter().map(|(n, v)| ((*n).to_owned(), Zeroizing::new((*v).to_owned()))).collect();
        let client = OtlpClient::new(endpoint, &headers, Duration::from_secs(1));
        client.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_endpoint_is_checked_and_nothing_secret_is_repeated() {
        assert_eq!(refused("http://localhost:4318/v1/metrics", &[("api-key", "s3cret")]), "");
        for bad in ["", "collector:4318", "ftp://h/", "http://u:s3cret@h/"] {
            let said = refused(bad, &[]);
            assert!(said.contains("not an http or https URL") && !said.contains("s3cret"), "{bad}: {said}");
        }
        let said = refused("http://h/", &[("api-key", "s3cret\n")]);
        assert!(said.contains("api-key") && !said.contains("s3cret"), "{said}");
    }
}
