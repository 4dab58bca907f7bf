//! The template every validated name in the house is cut from.

/// Why a text is not the name it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {text:?}: {rule}")]
pub struct NameError {
    /// What the text was meant to be, for people ("secret name").
    pub what: &'static str,
    /// The text as received, cut to a printable length.
    pub text: String,
    /// The rule it breaks, in one phrase.
    pub rule: &'static str,
}

impl NameError {
    pub(crate) fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self { what, text: text.chars().take(64).collect(), rule }
    }
}

/// Defines a text newtype that can only be made by a check. A clone is one more reference:
/// names go along with every request.
macro_rules! validated_name {
    ($(#[$meta:meta])* $name:ident, $what:literal, $rule:expr, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks `text` and makes it the name.
            ///
            /// # Errors
            /// [`NameError`](crate::NameError) with the rule that `text` breaks.
            pub fn parse(text: &str) -> Result<Self, $crate::NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err($crate::NameError::new($what, text, $rule))
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// So that what is kept by name can be asked by text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
    };
}
pub(crate) use validated_name;
