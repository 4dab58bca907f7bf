//! Which control fields an op's output may carry into the envelope.
//!
//! `_txc` steers the chassis. A reply from somebody else's server, or an op, may shape the
//! answer and the flow, and nothing else: who the tenant is and what an upstream said are
//! facts that nobody can make up.

use model::{Failure, Fault, Object, Path, Value};

/// Keeps of a foreign object everything outside `_txc`, and inside it only what an author
/// could have written too.
pub(crate) fn project(output: Object) -> Object {
    let mut kept = Object::default();
    for (key, value) in output {
        match (key.as_str(), value) {
            ("_txc", Value::Object(control)) => {
                let control = project_control(control, &mut vec!["_txc".to_owned()]);
                if !control.is_empty() {
                    kept.insert(key, Value::Object(control));
                }
            }
            ("_txc" | "_ts", _) => {}
            (_, value) => {
                kept.insert(key, value);
            }
        }
    }
    kept
}

fn project_control(control: Object, at: &mut Vec<String>) -> Object {
    let mut kept = Object::default();
    for (key, value) in control {
        at.push(key.to_string());
        let allowed = Path::from_segments(at.iter().cloned()).is_ok_and(|path| txcl::reply_may_write(&path));
        if allowed {
            kept.insert(key, value);
        } else if let Value::Object(inner) = value {
            let inner = project_control(inner, at);
            if !inner.is_empty() {
                kept.insert(key, Value::Object(inner));
            }
        }
        at.pop();
    }
    kept
}

/// A built-in op puts its fields where the rule's author says, and may write.
pub(crate) fn check_op_field(path: &Path) -> Result<(), Failure> {
    if txcl::author_may_write(path) {
        return Ok(());
    }
    Err(Failure::new(
        Fault::OpOutputInvalid,
        format!("{path} belongs to the chassis; use _txc.computed.<name>"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_reply_cannot_say_who_the_tenant_is() {
        let reply = r#"{"a":1,"_ts":"x","_txc":{"tenant":"evil","upstream":{"x":{"status":200}},"computed":{"sig":"x"},
            "web":{"req":{"headers":{}},"res":{"status":201}},"halt":true}}"#;
        let Ok(Value::Object(reply)) = Value::parse(reply.as_bytes()) else { panic!() };
        let kept = Value::Object(project(reply)).to_json();
        assert_eq!(kept, r#"{"a":1,"_txc":{"web":{"res":{"status":201}},"halt":true}}"#);
    }

    #[test]
    fn an_op_writes_below_computed() {
        let check = |text: &str| check_op_field(&Path::parse_sugared(text).unwrap()).is_ok();
        assert!(check("@computed.sig") && check("result.sig") && check("@web.res.body"));
        assert!(!check("@tenant") && !check("@upstream.x.status"));
    }
}
