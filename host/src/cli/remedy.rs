//! What to do about each refusal of a chassis, by its code.

/// Whether a refusal says by itself what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The reply's own words say it, or the command does that asked.
    Said,
    /// This is to be said behind them.
    Say(&'static str),
}

/// What to do where only a super-admin may.
pub(super) const SUPER_ADMIN: &str = "sign as the first actor of the chassis (enrolled by the secret that its start \
     printed), or use its --admin-user and --admin-pass (TXCO_ADMIN_USER, TXCO_ADMIN_PASS)";

/// What to do about a refusal with `code`; nothing for a code that this build does not know.
pub(super) fn of(code: &str) -> Option<Remedy> {
    use Remedy::{Said, Say};
    Some(match code {
        // What the reply, or the command, says by itself.
        "missing_signature_headers" | "invalid_enrollment_secret" | "not_found" | "key_already_enrolled" => {
            Said
        }
        "no_identity" | "self_revoke" | "last_super_admin" | "invalid_ttl" | "gone" | "json_required" => Said,
        "unknown_key" | "revoked_key" | "actor_revoked" | "unknown_capability" | "throttled" => Said,
        "method_unsupported"
        | "hostname_unverified"
        | "invalid_filter"
        | "invalid_slug"
        | "invalid_name"
        | "invalid_stack"
        | "invalid_op_name"
        | "name_immutable" => Said,
        "invalid_byte_len" | "too_many_at_once" | "value_too_large" | "description_too_long" => Said,
        "invalid_policy"
        | "invalid_time"
        | "invalid_key_encoding"
        | "invalid_keep"
        | "policy_required"
        | "invalid_body"
        | "invalid_runtime" => Said,
        "op_too_large" | "too_many_ops" | "quota_reached" | "secret_store_unavailable" => Said,
        "invalid JSON body" | "unsupported algorithm" | "invalid public key" => Said,

        "timestamp_out_of_range" => Say("set the clock of this machine, or of the chassis's"),
        "nonce_replay" => Say("ask again: each request is signed anew"),
        "invalid_signature" => Say("check --profile, or the user and password"),
        "invalid_content_digest" => Say("something on the way changed the request; ask without it"),
        "invalid_token" => Say("ask for a new invitation (`txco auth invite`)"),
        "key_not_found" => Say("`txco auth whoami` shows your own"),
        "actor_not_found" => Say("`txco auth tenant members` lists them"),
        "actor_id_required" => Say("name the actor: actor_…"),
        "capabilities_required" => Say("name some: --caps secret:*:read"),
        "invitation_not_found" => Say("`txco auth invitations` lists them"),
        "capability_denied" => Say("ask somebody who has it to grant it (`txco auth tenant grant`)"),
        "capability_exceeds_granter" => {
            Say("grant what you have (`txco auth memberships`), or ask a super-admin")
        }
        "body_too_large" => Say("send less at once"),
        "tenant_not_found" => Say("`txco auth tenants` lists them"),
        "reserved_slug" => Say("choose a slug that does not begin with _"),
        "tenant_slug_taken" => Say("choose another, or use the tenant that has it"),
        "missing_name" => Say("name the secret"),
        "secret_not_found" => {
            Say("`txco auth tenant secrets list` shows what there is, `set` makes a new one")
        }
        "secret_exists" => Say("`rotate` gives it a new value (`rotate --generate`: a minted one)"),
        "empty_value" => Say("give it a value; `revoke` ends a secret"),
        "value_not_encoded" => Say("give the value in that form, or another --key-encoding"),
        "policy_unproven" => Say("put the policy anew: `secrets policy NAME …`"),
        "policy_too_long" => Say("name fewer hosts and ops"),
        "version_not_found" => Say("`secrets versions NAME` lists them"),
        "no_older_version" => {
            Say("`secrets versions NAME` shows what there is; `rotate` gives it a new value")
        }
        "version_destroyed" => Say("choose another: `secrets versions NAME` lists them"),
        "version_in_use" => Say("`rotate` it first, or `revoke` it and `destroy NAME --revoked`"),
        "secret_denied" => Say("`secrets policy NAME` says what it may be used for"),
        "secret_expired" => Say("`rotate` it"),
        "op_not_found" => Say("`txco op list` shows what there is"),
        "op_invalid" => Say("mend it and build it again (`txco op build`)"),
        "op_unsigned" => Say("sign it with a key that the chassis trusts (`txco op sign`)"),
        "active_changed" => Say("somebody else activated meanwhile: look (`txco status`) and apply again"),
        "manifest_changed" | "op_changed" => Say("it changed meanwhile; apply again"),
        "bad_from" => Say("begin from nothing, `active` or a version's number"),
        "base_hash_mismatch" => Say("the file changed meanwhile; read it again"),
        "duplicate_path" | "invalid_path" | "invalid_file" => Say("mend the named file and apply again"),
        "empty_stack_name" | "reserved_stack_name" => Say("choose another name for the stack"),
        "file_already_exists" => Say("give its base_hash to replace it"),
        "file_not_found" => Say("`txco status` shows what differs"),
        "stack_version_not_found"
        | "from_version_not_found"
        | "version_revoked"
        | "no_active_version"
        | "missing_version_number" => Say("`txco versions STACK` lists them"),
        "stack_not_found" => Say("`txco status` shows what there is; `txco apply` makes one"),
        "run_not_found" => Say("`txco runs list --state all` shows what there is"),
        "run_ended" => Say("`txco runs show` says how"),
        "hostname_not_found" => Say("`txco auth tenant hostnames list` shows what there is"),
        "hostname_taken" => {
            Say("another tenant has it; if it is yours, prove it: `hostnames verify HOST --method dns-txt`")
        }
        "invalid_hostname" => Say("give a host as clients send it, without scheme and port"),
        "invalid_rules" => Said,
        "unresolved_op_ref" => Say("push the op (`txco op push`), or keep its sources beside the rule"),
        "too_many_files" | "version_too_large" => Say("apply less in one stack"),
        "too_many_stacks" | "too_many_hostnames" => Say("remove some first"),
        "version_not_draft" => Say("begin a new version; this one is written"),
        "disk_full" => Say("make room on the chassis's disk; nothing was stored"),
        "secret_store_busy" => Say("another process writes for long; try again"),
        "not_erased" => Say("end what has the database open, and destroy it again"),
        "secret_store_err" | "actor_store_err" | "internal" => Say("the chassis's log has more"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The codes that stand in the source, in the arms that answer with one: `(409, "code")`
    /// and `=> "code"`.
    fn codes() -> Vec<String> {
        let admin = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin");
        let mut files = vec![admin.join("error.rs"), admin.join("unproven.rs")];
        files.extend(
            fs::read_dir(admin.join("error")).into_iter().flatten().map(|entry| entry.unwrap().path()),
        );
        let mut codes = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for line in text.lines().filter(|line| line.contains("=> ")) {
                let Some((_, answer)) = line.split_once("=> ") else { continue };
                let answer = answer.trim_start_matches('(').trim_start_matches(|c: char| c.is_ascii_digit());
                let Some(quoted) = answer.trim_start_matches(", ").strip_prefix('"') else { continue };
                let code = quoted.split('"').next().unwrap();
                if code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                    codes.push(code.to_owned());
                }
            }
        }
        codes.sort();
        codes.dedup();
        codes
    }

    /// Issue 4: errors are one line with the reason and the remedy, every one.
    #[test]
    fn every_code_has_its_remedy() {
        let codes = codes();
        assert!(codes.len() > 60, "{codes:?}");
        let without: Vec<_> = codes.iter().filter(|code| of(code).is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn a_remedy_is_one_line() {
        for code in codes() {
            if let Some(Remedy::Say(text)) = of(&code) {
                assert!(!text.contains('\n') && text.len() < 100 && !text.ends_with('.'), "{code}: {text}");
            }
        }
    }
}
