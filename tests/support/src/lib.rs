//! What every black-box test stands on: Host, Upstream, Canary, leak search.
