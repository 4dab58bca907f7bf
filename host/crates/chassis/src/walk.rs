//! Where a request goes after a scope: on, elsewhere, or nowhere.

use model::{Envelope, Failure, Fault, Path, StackName, Value};

use crate::ruleset::RuleSet;

/// The next stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// The first scope from `from` on, of `stack`.
    Scope { stack: StackName, from: u32 },
    /// The request is done.
    Halt,
}

impl Next {
    /// As stages are written, for traces; nothing for the end.
    pub(crate) fn shown(&self) -> Option<String> {
        match self {
            Self::Scope { stack, from } => Some(format!("{stack}/{from}")),
            Self::Halt => None,
        }
    }
}

/// Reads and removes the flow control that rules left in the envelope: `_txc.delete`, then
/// `_txc.halt`, which wins over `_txc.goto`. Where they say nothing, it is on `from` there, if anywhere.
pub(crate) fn next(
    envelope: &mut Envelope,
    rules: &RuleSet,
    stack: &StackName,
    from: Option<u32>,
) -> Result<Next, Failure> {
    if let Some(targets) = take(envelope, "delete") {
        delete(envelope, &targets)?;
    }
    let halt = take(envelope, "halt") == Some(Value::Bool(true));
    let goto = take(envelope, "goto");
    match goto {
        _ if halt => Ok(Next::Halt),
        None | Some(Value::Null) => match from {
            Some(from) => Ok(Next::Scope { stack: stack.clone(), from }),
            None => Ok(Next::Halt),
        },
        Some(target) => jump(&target, rules, stack),
    }
}

fn take(envelope: &mut Envelope, key: &str) -> Option<Value> {
    envelope.member(["_txc", key])?;
    envelope.remove(&Path::from_segments(["_txc", key]).ok()?)
}

/// `stack/100` is a stage of any stack, `100` one of this stack.
pub(crate) fn jump(target: &Value, rules: &RuleSet, stack: &StackName) -> Result<Next, Failure> {
    let refuse = || {
        let shown = target.to_json();
        Failure::new(
            Fault::RuleFailed,
            format!("_txc.goto = {shown}: expected a scope such as 200 or a stage such as shop/200"),
        )
    };
    let text = match (target.as_i64(), target.as_str()) {
        (Some(scope), _) => scope.to_string(),
        (None, Some(text)) => text.trim().to_owned(),
        (None, None) => return Err(refuse()),
    };
    let (to, scope) = match text.rsplit_once('/') {
        Some((name, scope)) => (StackName::parse(name.trim_end_matches('/')).map_err(|_| refuse())?, scope),
        None => (stack.clone(), text.as_str()),
    };
    let from = scope.parse().map_err(|_| refuse())?;
    if rules.has(&to) {
        Ok(Next::Scope { stack: to, from })
    } else {
        Err(Failure::new(Fault::RuleFailed, format!("_txc.goto: there is no stack {to}")))
    }
}

fn delete(envelope: &mut Envelope, targets: &Value) -> Result<(), Failure> {
    let refuse = |why: String| Failure::new(Fault::RuleFailed, format!("_txc.delete: {why}"));
    let one = std::slice::from_ref(targets);
    let targets = if let Value::Array(targets) = targets { targets } else { one };
    for target in targets {
        let text =
            target.as_str().ok_or_else(|| refuse("expected a path or an array of paths".to_owned()))?;
        let path = Path::parse_sugared(text).map_err(|error| refuse(error.to_string()))?;
        if !txcl::author_may_write(&path) {
            return Err(refuse(format!("{path} belongs to the chassis")));
        }
        envelope.remove(&path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> RuleSet {
        let folder = tempfile::tempdir().unwrap();
        for stack in ["shop", "mail"] {
            let scope = folder.path().join("OPS").join(stack).join("10");
            std::fs::create_dir_all(&scope).unwrap();
            std::fs::write(scope.join("a.txcl"), "EMIT .a = 1").unwrap();
        }
        let stack = StackName::parse("shop").unwrap();
        RuleSet::load(folder.path(), Some(&stack), txcl::Mode::Strict).unwrap()
    }

    fn after(text: &str) -> (Result<Next, Failure>, String) {
        let mut envelope = Envelope::new(Value::parse(text.as_bytes()).unwrap()).unwrap();
        let next = next(&mut envelope, &rules(), &StackName::parse("shop").unwrap(), Some(11));
        (next, envelope.document().to_json())
    }

    fn stage(stack: &str, from: u32) -> Result<Next, Failure> {
        Ok(Next::Scope { stack: StackName::parse(stack).unwrap(), from })
    }

    #[test]
    fn flow_control_is_consumed() {
        assert_eq!(after(r#"{"a":1}"#), (stage("shop", 11), r#"{"a":1}"#.to_owned()));
        assert_eq!(after(r#"{"_txc":{"goto":5}}"#), (stage("shop", 5), r#"{"_txc":{}}"#.to_owned()));
        assert_eq!(after(r#"{"_txc":{"goto":"mail/7"}}"#).0, stage("mail", 7));
        assert_eq!(after(r#"{"_txc":{"goto":"mail/7","halt":true}}"#).0, Ok(Next::Halt));
        assert_eq!(after(r#"{"a":1,"b":2,"_txc":{"delete":["a"]}}"#).1, r#"{"b":2,"_txc":{}}"#);
    }

    #[test]
    fn a_jump_to_nowhere_is_a_fault() {
        for text in
            [r#"{"_txc":{"goto":"nowhere/1"}}"#, r#"{"_txc":{"goto":"x"}}"#, r#"{"_txc":{"goto":[1]}}"#]
        {
            assert_eq!(after(text).0.unwrap_err().fault, Fault::RuleFailed, "{text}");
        }
        assert_eq!(after(r#"{"_txc":{"delete":"@tenant"}}"#).0.unwrap_err().fault, Fault::RuleFailed);
    }
}
