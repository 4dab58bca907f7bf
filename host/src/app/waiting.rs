//! The settings of requests that wait: how long workers may take, and where they call back.

use std::net::SocketAddr;

use chassis::Waiting;

use super::BootError;
use crate::config::{Config, ConfigError};

/// What the settings say; `web` is where the web head listens.
pub(super) fn waiting(config: &Config, web: SocketAddr, tls: bool) -> Result<Waiting, BootError> {
    Ok(Waiting {
        accept: config.async_ack_timeout,
        most: config.async_runtime_default,
        after: config.continue_after_default,
        promised: config.continuable_timeout_default,
        retention: config.continuation_retention,
        callback: callback(&config.continuation_callback_base_url, web, tls)?,
        runs: config.continuations_max,
        at_once: usize::try_from(config.continuation_runs).unwrap_or(1).max(1),
    })
}

/// Never from a request: whoever calls could have a worker's token sent elsewhere.
fn callback(said: &str, web: SocketAddr, tls: bool) -> Result<String, BootError> {
    let scheme = if tls { "https" } else { "http" };
    if said.is_empty() {
        let host = match web.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        };
        return Ok(format!("{scheme}://{host}:{}", web.port()));
    }
    let base = said.trim_end_matches('/');
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    let is_whole = |rest: &str| {
        !rest.is_empty()
            && !rest.contains(['?', '#', '@'])
            && rest.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if rest.is_some_and(is_whole) {
        return Ok(base.to_owned());
    }
    Err(BootError::Config(ConfigError {
        place: "--continuation-callback-base-url".to_owned(),
        reason: "expected a URL such as https://hooks.example.com, without user, query or fragment"
            .to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_told_a_whole_address() {
        let web = |text: &str| text.parse::<SocketAddr>().unwrap();
        let told = |said: &str| callback(said, web("0.0.0.0:8080"), false).ok();
        assert_eq!(told("").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(callback("", web("[::1]:1"), true).ok().unwrap(), "https://[::1]:1");
        assert_eq!(told("https://hooks.example.com/").unwrap(), "https://hooks.example.com");
        assert_eq!(told("https://example.com/txco").unwrap(), "https://example.com/txco");
        for wrong in
            ["hooks.example.com", "https://", "ftp://x", "https://u:p@x", "https://x?a", "https://a b"]
        {
            assert!(told(wrong).is_none(), "{wrong}");
        }
    }
}
