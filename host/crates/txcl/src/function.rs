//! The table of functions: a new one is a row here and its few lines in a file below.

mod arguments;
mod texts;
mod documents;
mod arithmetic;
mod moment;

use model::Value;

pub(crate) use arguments::Arguments;

use crate::clock::{Clock, Reason};

/// How many arguments a function takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arity {
    Between(usize, usize),
    Any,
    /// Names and values, in turn.
    Pairs,
}

impl Arity {
    pub(crate) fn allows(self, n: usize) -> bool {
        match self {
            Self::Between(least, most) => (least..=most).contains(&n),
            Self::Any => true,
            Self::Pairs => n.is_multiple_of(2),
        }
    }

    /// "2 arguments", "0 to 1 arguments".
    pub(crate) fn words(self) -> String {
        match self {
            Self::Between(1, 1) => "1 argument".to_owned(),
            Self::Between(least, most) if least == most => format!("{most} arguments"),
            Self::Between(least, most) => format!("{least} to {most} arguments"),
            Self::Any => "any number of arguments".to_owned(),
            Self::Pairs => "pairs of a name and a value".to_owned(),
        }
    }
}

/// What a function does with a credential (R1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// It would have to look into it: the call fails before it begins.
    Refused,
    /// It passes it on, sealed.
    Passed,
}

/// What a result depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depends {
    /// Only the arguments: of literals it is computed once, at load.
    Arguments,
    /// Also the moment or chance.
    Moment,
}

/// What a call that fails gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Nothing: the rule fails.
    Fails,
    /// `null`, with the functions called `&try_…`.
    Null,
}

/// One function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) arity: Arity,
    pub(crate) credentials: Credentials,
    pub(crate) depends: Depends,
    failing: Failing,
    run: Run,
}

type Run = fn(&Arguments<'_>, &Clock) -> Result<Value, Reason>;

/// Every function there is, in the order of the manual.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("concat", Arity::Any, texts::concat).passing_credentials(),
    Function::new("join", Arity::Between(2, 2), texts::join),
    Function::new("split", Arity::Between(2, 2), texts::split),
    Function::new("substr", Arity::Between(3, 3), texts::substr),
    Function::new("try_substr", Arity::Between(3, 3), texts::substr).or_null(),
    Function::new("repeat", Arity::Between(2, 2), texts::repeat),
    Function::new("pad", Arity::Between(3, 3), texts::pad),
    Function::new("len", Arity::Between(1, 1), texts::len),
    Function::new("b64encode", Arity::Between(1, 1), texts::b64encode),
    Function::new("b64decode", Arity::Between(1, 1), texts::b64decode),
    Function::new("try_b64decode", Arity::Between(1, 1), texts::b64decode).or_null(),
    Function::new("urlencode", Arity::Between(1, 1), texts::urlencode),
    Function::new("urldecode", Arity::Between(1, 1), texts::urldecode),
    Function::new("try_urldecode", Arity::Between(1, 1), texts::urldecode).or_null(),
    Function::new("sha256", Arity::Between(1, 1), texts::sha256),
    Function::new("json", Arity::Between(1, 1), documents::json),
    Function::new("try_json", Arity::Between(1, 1), documents::json).or_null(),
    Function::new("to_json", Arity::Between(1, 1), documents::to_json),
    Function::new("get", Arity::Between(2, 2), documents::get),
    Function::new("try_get", Arity::Between(2, 2), documents::get).or_null(),
    Function::new("has", Arity::Between(2, 2), documents::has),
    Function::new("set", Arity::Between(3, 3), documents::set),
    Function::new("object", Arity::Pairs, documents::object),
    Function::new("array", Arity::Any, documents::array),
    Function::new("add", Arity::Between(2, 2), arithmetic::add),
    Function::new("sub", Arity::Between(2, 2), arithmetic::sub),
    Function::new("mul", Arity::Between(2, 2), arithmetic::mul),
    Function::new("div", Arity::Between(2, 2), arithmetic::div),
    Function::new("mod", Arity::Between(2, 2), arithmetic::modulo),
    Function::new("uuid", Arity::Between(0, 0), moment::uuid).of_the_moment(),
    Function::new("now", Arity::Between(0, 1), moment::now).of_the_moment(),
    Function::new("tz", Arity::Between(3, 4), moment::tz).of_the_moment(),
];

/// What an imported file calls and nobody knows; only [`Mode::Lenient`](crate::Mode) has it.
pub(crate) static UNKNOWN: Function = Function::new("unknown", Arity::Any, |_, _| {
    Err(Reason::failed("this chassis does not know this function, or not with so many arguments"))
})
.of_the_moment();

impl Function {
    const fn new(name: &'static str, arity: Arity, run: Run) -> Self {
        let (credentials, depends) = (Credentials::Refused, Depends::Arguments);
        Self { name, arity, credentials, depends, failing: Failing::Fails, run }
    }

    const fn passing_credentials(self) -> Self {
        Self { credentials: Credentials::Passed, ..self }
    }

    const fn of_the_moment(self) -> Self {
        Self { depends: Depends::Moment, ..self }
    }

    const fn or_null(self) -> Self {
        Self { failing: Failing::Null, ..self }
    }

    /// The function called `name`.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|f| f.name == name)
    }

    /// Calls it; the reason of a failure begins with the function's name.
    pub(crate) fn call(&self, arguments: &Arguments<'_>, clock: &Clock) -> Result<Value, Reason> {
        if self.credentials == Credentials::Refused && arguments.iter().any(|a| a.has_sealed()) {
            return Err(self.inspected());
        }
        match (self.run)(arguments, clock) {
            Ok(value) => Ok(value),
            Err(Reason::Credential(_)) => Err(self.inspected()),
            Err(Reason::Failed(_)) if self.failing == Failing::Null => Ok(Value::Null),
            Err(Reason::Failed(text)) => Err(Reason::Failed(format!("&{}: {text}", self.name))),
        }
    }

    fn inspected(&self) -> Reason {
        Reason::Credential(format!("&{} cannot look into a credential; only &concat takes one", self.name))
    }
}

#[cfg(test)]
mod tests;
