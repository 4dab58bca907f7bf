//! How often one machine may try a secret: the doors that hand out identities count together.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many machines are remembered; beyond it the oldest are forgotten.
const MOST: usize = 4_096;

/// Counts tries.
#[derive(Debug)]
pub(crate) struct Throttle {
    rate: usize,
    window: Duration,
    tries: Mutex<BTreeMap<IpAddr, VecDeque<Instant>>>,
}

impl Throttle {
    /// `rate` tries within `window`; 0 is no limit.
    pub(crate) fn new(rate: u32, window: Duration) -> Self {
        Self { rate: usize::try_from(rate).unwrap_or(usize::MAX), window, tries: Mutex::default() }
    }

    /// Counts a try of `peer`.
    ///
    /// # Errors
    /// How long to wait when there were too many.
    pub(crate) fn admit(&self, peer: IpAddr, now: Instant) -> Result<(), Duration> {
        if self.rate == 0 {
            return Ok(());
        }
        let mut all = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &Instant| now.saturating_duration_since(*at) < self.window;
        if all.len() >= MOST {
            all.retain(|_, tries| tries.back().is_some_and(recent));
        }
        while all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, tries)| tries.back().copied()).map(|(peer, _)| *peer);
            oldest.and_then(|peer| all.remove(&peer));
        }
        let tries = all.entry(network(peer)).or_default();
        while tries.front().is_some_and(|at| !recent(at)) {
            tries.pop_front();
        }
        if tries.len() >= self.rate {
            let first = tries.front().copied().unwrap_or(now);
            return Err(self.window.saturating_sub(now.saturating_duration_since(first)));
        }
        tries.push_back(now);
        Ok(())
    }
}

/// One machine has a whole /64 of IPv6 to try from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn ten_tries_a_minute_and_no_eleventh() {
        let throttle = Throttle::new(10, MINUTE);
        let (peer, start) = ("192.0.2.1".parse().unwrap(), Instant::now());
        for second in 0..10 {
            assert_eq!(throttle.admit(peer, start + Duration::from_secs(second)), Ok(()));
        }
        assert_eq!(throttle.admit(peer, start + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert_eq!(throttle.admit("192.0.2.2".parse().unwrap(), start), Ok(()), "somebody else");
        assert_eq!(throttle.admit(peer, start + MINUTE), Ok(()));
        assert!(throttle.admit(peer, start + MINUTE).is_err());
    }

    #[test]
    fn a_machine_is_a_network_of_ipv6_and_memory_is_bounded() {
        let throttle = Throttle::new(1, MINUTE);
        let now = Instant::now();
        assert!(throttle.admit("2001:db8::1".parse().unwrap(), now).is_ok());
        assert!(throttle.admit("2001:db8::2".parse().unwrap(), now).is_err());
        assert!(throttle.admit("2001:db8:0:1::1".parse().unwrap(), now).is_ok());
        for n in 0..5_000_u32 {
            throttle.admit(IpAddr::from(n.to_be_bytes()), now).ok();
        }
        assert!(throttle.tries.lock().unwrap().len() <= MOST);
        let none = Throttle::new(0, MINUTE);
        assert!((0..100).all(|_| none.admit("192.0.2.1".parse().unwrap(), now).is_ok()));
    }
}
