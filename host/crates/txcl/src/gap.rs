//! Comments and blank lines between the tokens of a file.

/// A comment on a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comment<'t> {
    pub(crate) text: &'t str,
    /// There is an empty line before it.
    pub(crate) apart: bool,
}

/// What stands between two tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gap<'t> {
    /// A comment behind the first, on its line.
    pub(crate) behind: Option<&'t str>,
    /// Comments above the second.
    pub(crate) above: Vec<Comment<'t>>,
    /// There is an empty line before the second, below the comments.
    pub(crate) apart: bool,
}

impl<'t> Gap<'t> {
    /// Reads the text between two tokens, or before the first.
    pub(crate) fn read(between: &'t str, first: bool) -> Self {
        let mut gap = Self::default();
        let mut lines = between.split('\n').peekable();
        let mut on_the_tokens_line = !first;
        while let Some(line) = lines.next() {
            let text = line.trim_matches([' ', '\t', '\r', '\u{feff}']);
            let last = lines.peek().is_none();
            match (text, on_the_tokens_line) {
                // What is left of the next token's line is no empty line.
                ("", _) => gap.apart |= !on_the_tokens_line && !last,
                (text, true) => gap.behind = Some(text),
                (text, false) => gap.push(text),
            }
            on_the_tokens_line = false;
        }
        gap
    }

    fn push(&mut self, text: &'t str) {
        let apart = std::mem::take(&mut self.apart);
        self.above.push(Comment { text, apart });
    }

    /// This gap and the one that follows, when the comma between them moves to the front.
    pub(crate) fn then(mut self, next: Self) -> Self {
        match next.behind {
            Some(text) if self.behind.is_none() && self.above.is_empty() => self.behind = Some(text),
            Some(text) => self.push(text),
            None => {}
        }
        for comment in next.above {
            self.apart |= comment.apart;
            self.push(comment.text);
        }
        self.apart |= next.apart;
        self
    }

    /// Whether there is a comment in it.
    pub(crate) fn has_comment(&self) -> bool {
        self.behind.is_some() || !self.above.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_belong_behind_or_above() {
        let gap = Gap::read("  # behind\r\n\n # one\n# two\n\n\t", false);
        assert_eq!(gap.behind, Some("# behind"));
        let above = [Comment { text: "# one", apart: true }, Comment { text: "# two", apart: false }];
        assert_eq!((gap.above.as_slice(), gap.apart), (above.as_slice(), true));
        let first = Gap::read("\u{feff}# one\n", true);
        assert_eq!(first.above, [Comment { text: "# one", apart: false }]);
        assert_eq!((first.behind, first.apart), (None, false));
        assert_eq!(Gap::read(" \n ", false), Gap::default());
    }
}
