//! Names to addresses: only addresses that the policy allows come out.
//!
//! The client dials what this resolver answers and nothing else, so a name that answers
//! differently the second time (DNS rebinding) is judged the second time. Hosts that are
//! addresses already never come here; the client judges those itself.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{Blocked, Judge};

/// How a name is looked up.
pub(crate) type Ask = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks the system.
pub(crate) fn system(name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
    Box::pin(async move {
        let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    })
}

/// The resolver of one client.
pub(crate) struct Resolver {
    pub(crate) judge: Arc<Judge>,
    /// The operator's own answers (`--egress-connect-to`), by lower-case name.
    pub(crate) connect_to: Arc<HashMap<String, SocketAddr>>,
    /// The port that will be dialled, when it is one that the judge must know.
    pub(crate) port: u16,
    pub(crate) ask: Ask,
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
pub(crate) struct NoAddress;

/// Whether `host` means this very machine (RFC 6761 §6.3).
pub(crate) fn is_localhost(host: &str) -> bool {
    let host = bare(host);
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

/// A name without the dot that says it is complete.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = bare(name.as_str()).to_ascii_lowercase();
        let judge = Arc::clone(&self.judge);
        let (port, ask) = (self.port, self.ask);
        if let Some(target) = self.connect_to.get(&host).copied() {
            return Box::pin(async move {
                judge.dial(target)?;
                Ok(Box::new(std::iter::once(target)) as Addrs)
            });
        }
        Box::pin(async move {
            let found = ask(host.clone()).await.map_err(|_| NoAddress)?;
            // A hosts file or a name server that sends `localhost` elsewhere is not believed.
            let local_only = is_localhost(&host);
            let found = found.into_iter().filter(|ip| !local_only || ip.is_loopback());
            let allowed = allowed(&judge, found, port)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be dialled; when there are none, why not. Their port is 0: the
/// client fills in its own.
fn allowed(
    judge: &Judge,
    found: impl Iterator<Item = IpAddr>,
    port: u16,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let mut allowed = Vec::new();
    let mut refused: Option<Blocked> = None;
    for address in found {
        match judge.dial(SocketAddr::new(address, port)) {
            Ok(()) => allowed.push(SocketAddr::new(address, 0)),
            Err(blocked) => refused = Some(blocked),
        }
    }
    match (allowed.is_empty(), refused) {
        (false, _) => Ok(allowed),
        (true, Some(blocked)) => Err(Box::new(blocked)),
        (true, None) => Err(Box::new(NoAddress)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressPolicy;

    #[test]
    fn only_allowed_addresses_come_out_of_a_mixed_answer() {
        let judge =
            Judge { policy: AddressPolicy::Private, allow: Vec::new(), deny: Vec::new(), own_admin: None };
        let answer = ["10.0.0.1", "1.1.1.1", "::1"].map(|a| a.parse().unwrap());
        let out = allowed(&judge, answer.into_iter(), 443).unwrap();
        assert_eq!(out, ["1.1.1.1:0".parse().unwrap()]);
        let answer = ["10.0.0.1", "::1"].map(|a| a.parse().unwrap());
        assert!(allowed(&judge, answer.into_iter(), 443).unwrap_err().is::<Blocked>());
        assert!(allowed(&judge, std::iter::empty(), 443).unwrap_err().is::<NoAddress>());
    }

    #[test]
    fn localhost_in_every_spelling() {
        for name in ["localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.Localhost."] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example", "notlocalhost", "localhost.example."] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
