//! Why an op is refused or has no output.

use model::{Class, Failure, Fault};

use crate::Over;

/// Why an op is refused or has no output. What a guest chose (names of imports, codes,
/// messages) is cut and made printable before it gets in here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine does not start on this machine.
    #[error("the WebAssembly engine does not start on this machine")]
    Engine,
    /// The embedded ops and their lock file do not agree: a damaged build.
    #[error("the built-in op {name} does not match its lock file; this build is damaged")]
    BuiltinDamaged {
        /// The op, or the lock file.
        name: String,
    },
    /// Not a component, or one that asks for features this engine does not have.
    #[error("not a WebAssembly component this chassis can compile")]
    NotAComponent,
    /// It imports something that no op may have.
    #[error("it imports {import}, which no op may have")]
    ForeignImport {
        /// The import's name.
        import: String,
    },
    /// It was built for another version of the contract.
    #[error("it needs txco:op@{needs} and this chassis has {has}: {remedy}")]
    OtherVersion {
        /// The version it imports.
        needs: String,
        /// The version of this chassis.
        has: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Its manifest cannot be read.
    #[error("{why}")]
    Manifest {
        /// What is wrong with it, and where.
        why: String,
    },
    /// It imports our interfaces with other types than ours.
    #[error("it was built against another text of txco:op@1.0.0")]
    OtherContract,
    /// It does not export `handle` of the contract's type.
    #[error("it does not export handle: func() -> result<list<field>, failure>")]
    NoHandle,
    /// It reveals secrets, and this call grants none.
    #[error("it reveals secrets, and the rule declares none (WITH secrets.<slot>.secret = \"NAME\")")]
    NothingToReveal,
    /// The secrets were packed for other bytes than these.
    #[error("its secrets were packed for another op")]
    PackedForAnother,
    /// It ran into a limit.
    #[error("it used {0}")]
    Over(Over),
    /// It crashed.
    #[error("it crashed: {trap}")]
    Trapped {
        /// The engine's words for it.
        trap: String,
    },
    /// It reported a failure of its own.
    #[error("{code}: {message}")]
    Failed {
        /// Its code.
        code: String,
        /// Its message.
        message: String,
    },
    /// Its output cannot be taken.
    #[error("field {field}: {why}")]
    Output {
        /// Which field, from 0.
        field: usize,
        /// What is wrong with it.
        why: OutputFlaw,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// The host has no memory for the call.
    #[error("no memory for an op's instance")]
    NoMemory,
    /// A credential could not be kept.
    #[error("the op's credential could not be kept: {0}")]
    Credential(Failure),
}

/// What is wrong with a field of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutputFlaw {
    /// The path is not one.
    #[error("its path is not one")]
    Path,
    /// The value is not JSON text.
    #[error("its value is not JSON")]
    NotJson,
    /// A credential that is not text.
    #[error("a credential is text, not JSON")]
    CredentialNotText,
    /// Nothing of this class is declared for this place.
    #[error("the op's manifest declares no such output there")]
    NotDeclared,
    /// Another class is declared for this place.
    #[error("the op's manifest declares {} there, and it is returned as {}", declared.word(), returned.word())]
    OtherClass {
        /// The manifest's.
        declared: Class,
        /// The field's.
        returned: Class,
    },
    /// An op that was shown a secret returned a class that tells more than a secret's
    /// policy allows (R21).
    #[error(
        "it is {word}, and a secret that the op was shown does not allow it to return that: without --allow-op op://NAME:{word} it may return credentials only",
        word = .0.word()
    )]
    NotAllowed(Class),
}

impl Error {
    /// What the outside sees.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let fault = match self {
            Self::Engine | Self::BuiltinDamaged { .. } | Self::PackedForAnother | Self::NoRandomness => {
                Fault::Internal
            }
            Self::NotAComponent
            | Self::ForeignImport { .. }
            | Self::OtherVersion { .. }
            | Self::Manifest { .. }
            | Self::OtherContract
            | Self::NoHandle => Fault::OpInvalid,
            Self::NothingToReveal => Fault::SecretDeclarationInvalid,
            Self::Over(over) => over.fault(),
            Self::Trapped { .. } => Fault::OpTrapped,
            Self::Failed { .. } => Fault::OpFailed,
            Self::Output { .. } => Fault::OpOutputInvalid,
            Self::NoMemory => Fault::OpBusy,
            Self::Credential(failure) => return failure.clone(),
        };
        Failure::new(fault, self.to_string())
    }
}

impl From<Over> for Error {
    fn from(over: Over) -> Self {
        Self::Over(over)
    }
}

/// A guest's text made fit for a trace: at most `most` characters, none that is not printable.
pub(crate) fn printable(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
