//! The text around a secret in a header or body field: `Bearer {}`.

/// Why a format text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no `{}` in it, or more than one.
    #[error(
        "format must contain exactly one {{}} (it has {found}); leave `format` out to send the value alone"
    )]
    Placeholders {
        /// How many were found.
        found: usize,
    },
}

/// A text with exactly one `{}`, parsed once; what fills it is never scanned again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatTemplate {
    before: String,
    after: String,
}

impl FormatTemplate {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`TemplateError::Placeholders`] unless there is exactly one `{}`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        match text.split_once("{}") {
            Some((before, after)) if !after.contains("{}") => {
                Ok(Self { before: before.to_owned(), after: after.to_owned() })
            }
            _ => Err(TemplateError::Placeholders { found: text.matches("{}").count() }),
        }
    }

    /// The text before the placeholder.
    #[must_use]
    pub fn before(&self) -> &str {
        &self.before
    }

    /// The text after the placeholder.
    #[must_use]
    pub fn after(&self) -> &str {
        &self.after
    }
}

impl std::fmt::Display for FormatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{{}}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_placeholder() {
        let t = FormatTemplate::parse("Bearer {}").unwrap();
        assert_eq!((t.before(), t.after()), ("Bearer ", ""));
        assert_eq!(t.to_string(), "Bearer {}");
        for (text, found) in [("", 0), ("{ }", 0), ("{name}", 0), ("{}{}", 2), ("{} a {} b {}", 3)] {
            assert_eq!(FormatTemplate::parse(text), Err(TemplateError::Placeholders { found }), "{text}");
        }
    }
}
