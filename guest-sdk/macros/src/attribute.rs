//! The arguments of `#[param(…)]` and `#[output(…)]`.

use syn::{Attribute, Expr, Ident, LitStr, Token};

/// What stands in `#[param(…)]`.
#[derive(Default)]
pub(crate) struct Param {
    pub(crate) name: Option<LitStr>,
    pub(crate) default: Option<Fallback>,
}

/// The value of a parameter that a rule does not give.
pub(crate) enum Fallback {
    /// The type's own default.
    Own,
    /// This one.
    This(Box<Expr>),
}

impl Param {
    pub(crate) fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("param")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    found.name = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("default") {
                    let own = !meta.input.peek(Token![=]);
                    found.default =
                        Some(if own { Fallback::Own } else { Fallback::This(meta.value()?.parse()?) });
                } else {
                    return Err(meta.error("expected name = \"…\", default or default = …"));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

/// What stands in `#[output(…)]`.
pub(crate) struct Output {
    pub(crate) path: LitStr,
    pub(crate) param: Option<LitStr>,
    pub(crate) class: Class,
}

/// How much an output tells about secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Data,
    Digest,
    Credential,
}

impl Class {
    fn parse(word: &Ident) -> syn::Result<Self> {
        match word.to_string().as_str() {
            "data" => Ok(Self::Data),
            "digest" => Ok(Self::Digest),
            "credential" => Ok(Self::Credential),
            _ => Err(syn::Error::new(word.span(), "expected data, digest or credential")),
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Digest => "digest",
            Self::Credential => "credential",
        }
    }
}

impl Output {
    pub(crate) fn of(field: &syn::Field) -> syn::Result<Self> {
        let (mut path, mut param, mut class) = (None, None, None);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("output")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("path") {
                    path = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("param") {
                    param = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("class") {
                    class = Some(Class::parse(&meta.value()?.parse()?)?);
                } else {
                    return Err(meta.error("expected path = \"…\", param = \"…\" or class = …"));
                }
                Ok(())
            })?;
        }
        let missing = || {
            let words = "expected #[output(path = \"…\", class = data|digest|credential)]";
            syn::Error::new_spanned(field, words)
        };
        Ok(Self { path: path.ok_or_else(missing)?, param, class: class.ok_or_else(missing)? })
    }
}
