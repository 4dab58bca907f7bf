//! Of which requests spans are exported, as `OTEL_TRACES_SAMPLER` says.

use super::ConfigError;
use super::env::Environment;

/// Chooses requests by their trace id, so that every service on the way chooses the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether a caller that has chosen is followed.
    follows: bool,
    /// The share of the others, 0 to 1.
    share: f64,
}

impl Sampler {
    /// Reads the variables; without them a caller is followed and all others are taken.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that cannot be.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let wrong =
            |place: &str, reason: &str| ConfigError { place: place.to_owned(), reason: reason.to_owned() };
        let name = environment.variable("OTEL_TRACES_SAMPLER").unwrap_or_default();
        let name = name.trim();
        let (follows, rest) = match name.strip_prefix("parentbased_") {
            Some(rest) => (true, rest),
            None => (name.is_empty(), name),
        };
        let share = match rest {
            "" | "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => match environment.variable("OTEL_TRACES_SAMPLER_ARG") {
                None => 1.0,
                Some(text) => text
                    .trim()
                    .parse()
                    .ok()
                    .filter(|share| (0.0..=1.0).contains(share))
                    .ok_or_else(|| wrong("OTEL_TRACES_SAMPLER_ARG", "expected a number from 0 to 1"))?,
            },
            _ => {
                let known = "expected always_on, always_off or traceidratio, also behind parentbased_";
                return Err(wrong("OTEL_TRACES_SAMPLER", known));
            }
        };
        Ok(Self { follows, share })
    }

    /// Whether the request `trace` is taken, whose caller has chosen as `parent` says.
    pub(crate) fn takes(self, trace: [u8; 16], parent: Option<bool>) -> bool {
        if let Some(sampled) = parent.filter(|_| self.follows) {
            return sampled;
        }
        // As the other implementations do it: 63 bits of the id's second half.
        let below = (u128::from_be_bytes(trace) as u64 >> 1) as f64;
        self.share >= 1.0 || below < self.share * (1_u64 << 63) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(name: &'static str, share: &'static str) -> Result<Sampler, String> {
        let map = BTreeMap::from([("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", share)]);
        Sampler::read(&map).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_those_of_the_specification() {
        let all = Sampler::read(&BTreeMap::<&str, &str>::new()).unwrap();
        assert_eq!(all, read("parentbased_always_on", "").unwrap());
        for (name, follows, share) in [
            ("always_on", false, 1.0),
            ("always_off", false, 0.0),
            ("traceidratio", false, 0.25),
            ("parentbased_always_off", true, 0.0),
            ("parentbased_traceidratio", true, 0.25),
        ] {
            assert_eq!(read(name, "0.25").unwrap(), Sampler { follows, share }, "{name}");
        }
        assert!(read("jaeger_remote", "").unwrap_err().starts_with("OTEL_TRACES_SAMPLER: expected"));
        for share in ["2", "-1", "NaN", "half"] {
            assert!(
                read("traceidratio", share).unwrap_err().starts_with("OTEL_TRACES_SAMPLER_ARG: "),
                "{share}"
            );
        }
    }

    #[test]
    fn a_share_is_taken_by_the_ids_second_half() {
        let quarter = read("traceidratio", "0.25").unwrap();
        let trace = |first: u8| (u128::from(first) << 56).to_be_bytes();
        assert!(quarter.takes(trace(0x3f), None) && !quarter.takes(trace(0x40), None));
        let (all, none) = (read("always_on", "").unwrap(), read("always_off", "").unwrap());
        assert!(all.takes([0xff; 16], Some(false)) && !none.takes([0; 16], Some(true)));
    }

    #[test]
    fn a_caller_that_chose_is_followed() {
        let none = read("parentbased_always_off", "").unwrap();
        assert!(none.takes([0; 16], Some(true)) && !none.takes([0; 16], None));
        assert!(!read("parentbased_always_on", "").unwrap().takes([0; 16], Some(false)));
    }
}
