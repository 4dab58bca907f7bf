//! Becoming somebody, inviting others, what each may do, and the end of it: a whole life through the command line.

use support::{Call, Canary, Host, Output};

use crate::TXCO;
use crate::op_push::AUTH;

/// Somebody with a folder of their own.
#[derive(Clone, Copy)]
struct Person(&'static str);

impl Person {
    fn call(self, host: &Host, args: &[&str]) -> Call {
        let home = host.path(&format!("people/{}", self.0));
        std::fs::create_dir_all(&home).unwrap();
        Call::new(args).env("HOME", home.to_str().unwrap())
    }

    fn does(self, host: &mut Host, line: &str) -> Output {
        let words: Vec<_> = line.split_whitespace().collect();
        let call = self.call(host, &words);
        host.run(&call)
    }

    fn sets(self, host: &mut Host, name: &str, canary: &Canary) -> Output {
        let url = url(host);
        let args = ["auth", "tenant", "secrets", "set", name, "--tenant", "acme", "--url", &url];
        let call = self.call(host, &args).stdin(canary.text());
        host.run(&call)
    }
}

const ALICE: Person = Person("alice");
const BOB: Person = Person("bob");

fn url(host: &Host) -> String {
    format!("http://{}", host.admin_address())
}

/// The secret that the chassis printed for the first actor.
fn printed_secret(host: &mut Host) -> String {
    let line = host.wait_log("nobody is enrolled here");
    line.rsplit_once("--secret ").unwrap().1.trim().to_owned()
}

/// What stands behind `label` in an output.
fn field(text: &str, label: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("{label}: {text}"));
    line[label.len()..].trim().to_owned()
}

fn bootstrapped() -> Host {
    bootstrapped_with(&[])
}

fn bootstrapped_with(flags: &[&str]) -> Host {
    let mut host = Host::serve(TXCO).flags(flags).start();
    let (url, secret) = (url(&host), printed_secret(&mut host));
    assert_eq!(secret.split('-').count(), 8, "eight words (weakness A11): {secret}");
    let line = format!("auth bootstrap-local --url {url} --secret {secret}");
    let said = ALICE.does(&mut host, &line).succeeds();
    assert!(said.starts_with("enrolled actor_") && said.contains("capabilities=[admin:all]"), "{said}");
    assert!(
        said.contains("\nfingerprint: SHA256:") && said.contains("tenant: default (super_admin)"),
        "{said}"
    );
    assert!(said.ends_with("active profile is now \"local\"\n"), "{said}");
    let again = ALICE.does(&mut host, &line).succeeds();
    assert!(again.starts_with(&format!("Already enrolled at {url} as actor_")), "{again}");
    assert!(host.path("people/alice/.ssh/id_ed25519-txco").exists());
    host
}

/// Alice invites Bob into acme, with these capabilities.
fn invited(host: &mut Host, caps: &str) -> String {
    let url = url(host);
    let said = ALICE
        .does(host, &format!("auth invite --label bob --caps {caps} --tenant acme --url {url}"))
        .succeeds();
    let token = field(&said, "token:");
    let canary = Canary::found("invitation token", token.as_bytes());
    host.guard(&canary);
    host.allow(&canary, "stdout", 1);
    let call = BOB.call(host, &["auth", "accept", "--url", &url]).stdin(format!("{token}\n"));
    let accepted = host.run(&call).succeeds();
    assert!(accepted.contains("tenant: acme\n") && accepted.contains(caps), "{accepted}");
    let call = ALICE.call(host, &["auth", "accept", "--url", &url]).stdin(format!("{token}\n"));
    assert!(host.run(&call).fails(1).contains("invalid_token"), "a token is good once");
    accepted.split_whitespace().find(|word| word.starts_with("actor_")).unwrap().to_owned()
}

#[test]
fn from_the_first_actor_to_a_revoked_one() {
    let mut host = bootstrapped();
    let url = url(&host);
    let who = ALICE.does(&mut host, &format!("whoami --url {url}")).succeeds();
    for line in [
        "profile: local (default)",
        "source: signed",
        "label: local",
        "super_admin: true",
        "  default  admin:all",
    ] {
        assert!(who.replace("(active)", "(default)").lines().any(|l| l == line), "{line}: {who}");
    }
    let unsigned =
        ALICE.does(&mut host, &format!("auth tenant secrets list --url {url} --profile none")).fails(1);
    assert!(unsigned.contains("401 Unauthorized: missing_signature_headers"), "{unsigned}");

    ALICE.does(&mut host, &format!("auth tenant create acme --url {url}")).succeeds();
    let bob = invited(&mut host, "secret:STRIPE_*:write");
    let stripe = host.canary("stripe");
    assert_eq!(
        BOB.sets(&mut host, "STRIPE_KEY", &stripe).succeeds(),
        "created STRIPE_KEY (v1) in tenant \"acme\"\n"
    );
    let line = host.wait_log("secret_action");
    assert!(line.contains(&format!("actor_id={bob}")) && line.contains("outcome=ok"), "{line}");

    // A6: other names, other tenants and other actions are not his.
    let other = host.canary("other");
    let denied = BOB.sets(&mut host, "OTHER", &other).fails(1);
    assert!(
        denied.contains("403 Forbidden: capability_denied: this needs the capability secret:OTHER:write"),
        "{denied}"
    );
    for line in [
        "auth tenant secrets list --tenant acme",
        "auth tenant secrets show STRIPE_KEY --tenant acme",
        "auth tenant secrets generate STRIPE_KEY --tenant default",
        "auth tenant members --tenant acme",
        "auth invite --tenant acme",
        "auth tenant create mine",
        "op list --tenant acme",
    ] {
        let denied = BOB.does(&mut host, &format!("{line} --url {url}")).fails(1);
        assert!(denied.contains("capability_denied"), "{line}: {denied}");
    }
    let grant = format!("auth tenant grant {bob} --caps admin:all --tenant acme --url {url}");
    assert!(BOB.does(&mut host, &grant).fails(1).contains("capability_denied"));
    // A5: he does not even see the others.
    let tenants = BOB.does(&mut host, &format!("auth tenants --url {url}")).succeeds();
    assert!(tenants.contains(" acme ") && !tenants.contains(" default "), "{tenants}");

    let granted = ALICE.does(
        &mut host,
        &format!("auth tenant grant {bob} --caps secret:*:write,secret:*:read --tenant acme --url {url}"),
    );
    assert!(granted.succeeds().starts_with(&format!("granted {bob} in tenant acme:\n")));
    BOB.sets(&mut host, "OTHER", &other).succeeds();
    let shown =
        BOB.does(&mut host, &format!("auth tenant secrets show OTHER --tenant acme --url {url}")).succeeds();
    assert_eq!(field(&shown, "created_by:"), bob);
    let members = ALICE.does(&mut host, &format!("auth tenant members --tenant acme --url {url}")).succeeds();
    assert!(members.contains(&bob) && members.contains("secret:*:write,secret:*:read"), "{members}");
    let invitations =
        ALICE.does(&mut host, &format!("auth invitations --tenant acme --url {url}")).succeeds();
    assert!(invitations.contains("consumed"), "{invitations}");
    let elsewhere = ALICE.does(&mut host, &format!("auth invitations --url {url}")).succeeds();
    assert_eq!(elsewhere, "(no invitations)\n", "weakness A5");

    let rotated = BOB.does(&mut host, &format!("auth rotate-key --url {url}")).succeeds();
    assert!(rotated.starts_with(&format!("rotated: new {bob} key_")), "{rotated}");
    let third = host.canary("third");
    BOB.sets(&mut host, "THIRD", &third).succeeds();

    ALICE.does(&mut host, &format!("auth tenant revoke {bob} --tenant acme --url {url}")).succeeds();
    assert!(BOB.sets(&mut host, "THIRD", &third).fails(1).contains("capability_denied"));
    ALICE.does(&mut host, &format!("auth revoke-actor {bob} --url {url}")).succeeds();
    let revoked = BOB.does(&mut host, &format!("auth whoami --url {url}")).fails(1);
    assert!(
        revoked.contains("401 Unauthorized: revoked_key") && revoked.contains("profile local"),
        "{revoked}"
    );
    let alice = field(&who, "actor_id:");
    let own = ALICE.does(&mut host, &format!("auth revoke-actor {alice} --url {url}")).fails(1);
    assert!(own.contains("409 Conflict: self_revoke") && own.contains("--i-am-sure"), "{own}");

    host.stop();
    host.start();
    assert!(
        !host.log().rsplit_once("stopped").unwrap().1.contains("nobody is enrolled"),
        "the secret is burned"
    );
    let url = format!("http://{}", host.admin_address());
    ALICE.does(&mut host, &format!("auth whoami --url {url} --profile local")).succeeds();
    host.finish();
}

#[test]
fn the_printed_secret_is_for_the_first_alone() {
    let mut host = Host::serve(TXCO).start();
    let (url, secret) = (url(&host), printed_secret(&mut host));
    let wrong = ALICE.does(&mut host, &format!("auth bootstrap-local --url {url} --secret wrong")).fails(1);
    assert!(
        wrong.contains("401 Unauthorized: invalid_enrollment_secret") && wrong.contains("eight words"),
        "{wrong}"
    );
    let call = ALICE.call(&host, &["auth", "bootstrap-local", "--url", &url, "--new-key", "--json"]);
    let key = "people/alice/.config/txco/keys/local.ed25519";
    host.run(&call.clone().stdin("")).fails(1);
    assert!(!host.path(key).exists(), "who gives up leaves no key behind");
    let said = host.run(&call.stdin(format!("{secret}\n"))).succeeds();
    let identity: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&identity["super_admin"], &identity["tenant_slug"]), (&true.into(), &"default".into()));
    assert!(host.path(key).exists());
    let again = ALICE.does(&mut host, &format!("auth bootstrap-local --url {url} --new-key")).fails(1);
    assert!(again.contains("bootstrap-local without --new-key"), "{again}");
    let late = BOB.does(&mut host, &format!("auth bootstrap-local --url {url} --secret {secret}")).fails(1);
    assert!(late.contains("404 Not Found: not_found") && late.contains("txco auth accept"), "{late}");
    host.finish();
}

#[test]
fn profiles_are_chosen_shown_and_removed() {
    let mut host = bootstrapped();
    let url = url(&host);
    let table = ALICE.does(&mut host, "auth profiles").succeeds();
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[1], row[2], row[4]), ("*", "local", url.as_str(), "file"), "{table}");
    // The profile knows where its chassis is.
    assert!(ALICE.does(&mut host, "auth whoami").succeeds().contains("source: signed"));
    assert!(ALICE.does(&mut host, "auth profile show").succeeds().contains("key_id:      key_"));
    assert_eq!(ALICE.does(&mut host, "auth logout").succeeds(), "active profile: none\n");
    assert!(
        ALICE
            .does(&mut host, &format!("auth whoami --url {url}"))
            .fails(1)
            .contains("missing_signature_headers")
    );
    assert!(
        ALICE
            .does(&mut host, &format!("auth whoami --url {url} --target local"))
            .succeeds()
            .contains("(flag)")
    );
    assert_eq!(ALICE.does(&mut host, "auth profile use local").succeeds(), "active profile: local\n");
    assert!(ALICE.does(&mut host, "auth profile use nobody").fails(1).contains("no profile \"nobody\""));
    assert!(ALICE.does(&mut host, "auth profile use ../x").fails(2).contains("not a profile name"));
    assert!(ALICE.does(&mut host, "auth profile remove local").fails(1).contains("--yes"));
    assert_eq!(ALICE.does(&mut host, "auth profile remove local --yes").succeeds(), "removed local\n");
    assert_eq!(ALICE.does(&mut host, "auth profiles").succeeds(), "(no profiles)\n");
    host.finish();
}

/// Weakness A8: every verb that changes something asks before it does so far away.
#[test]
fn a_chassis_that_is_named_is_called_by_its_own_profile() {
    let mut one = bootstrapped();
    let mut two = Host::serve(TXCO).start();
    let (there, secret) = (url(&two), printed_secret(&mut two));
    let first = format!("auth bootstrap-local --url {there} --secret {secret}");
    BOB.does(&mut two, &first).succeeds();
    let refused = ALICE.does(&mut one, &format!("auth whoami --url {there}")).fails(1);
    assert!(refused.contains(&format!("nothing was signed: no profile at hand is of {there}")), "{refused}");
    let invite = format!("auth invite --label alice --caps secret:*:read --tenant default --url {there}");
    let token = field(&BOB.does(&mut two, &invite).succeeds(), "token:");
    ALICE.does(&mut one, &format!("auth accept --token {token} --url {there} --profile two")).succeeds();
    let said = ALICE.does(&mut one, &format!("auth whoami --url {there}")).succeeds();
    assert!(said.starts_with("profile: two (the chassis's)\n"), "{said}");
    let here = url(&one);
    let said = ALICE.does(&mut one, &format!("auth whoami --url {here}")).succeeds();
    assert!(said.starts_with("profile: local (active)\n"), "{said}");
    two.finish();
    one.finish();
}

#[test]
fn every_verb_that_changes_something_is_guarded_far_away() {
    let mut host = bootstrapped();
    let url = url(&host);
    for verb in [
        "auth enroll --secret x",
        "auth bootstrap-local --secret x --profile other",
        "auth accept --token x",
        "auth invite",
        "auth revoke-invitation inv_1",
        "auth rotate-key",
        "auth revoke-key --key-id key_1",
        "auth revoke-actor actor_1",
        "auth tenant grant actor_1 --caps secret:*:read",
        "auth tenant revoke actor_1",
        "auth tenant create far",
    ] {
        let line = format!("{verb} --url https://far.example --profile local");
        let line = if verb.contains("--profile") { line.replace(" --profile local", "") } else { line };
        let refused = ALICE.does(&mut host, &line).fails(1);
        assert!(refused.starts_with("→ far.example (https://far.example)\n"), "{verb}: {refused}");
        assert!(refused.contains("re-run with --yes"), "{verb}: {refused}");
    }
    for verb in ["auth enroll --secret x", "auth accept --token x"] {
        let refused = ALICE.does(&mut host, &format!("{verb} --yes --url http://far.example")).fails(1);
        assert!(refused.contains("plain http"), "{verb}: {refused}");
    }
    let call = ALICE.call(&host, &["auth", "tenants", "--url", "http://far.example"]);
    let call = call.env("TXCO_ADMIN_USER", "admin").env("TXCO_ADMIN_PASS", "secret");
    assert!(host.run(&call).fails(1).contains("plain http"));
    assert!(ALICE.does(&mut host, &format!("auth whoami --url {url}")).succeeds().contains("signed"));
    host.finish();
}

/// R18: whoever may activate rules may let them use new secrets only where that was granted, secret by secret.
#[test]
fn rules_that_name_a_new_secret_need_somebody_who_may_use_it() {
    new_secrets_are_granted(&["--secrets-use", "explicit"], "implied");
}

/// The same, where only one tenant asks for it.
#[test]
fn a_tenant_may_ask_for_it_where_the_chassis_does_not() {
    new_secrets_are_granted(&[], "explicit");
}

fn new_secrets_are_granted(flags: &[&str], setting: &str) {
    let mut host = bootstrapped_with(flags);
    let url = url(&host);
    ALICE.does(&mut host, &format!("auth tenant create acme --url {url}")).succeeds();
    let set = format!("auth tenant settings acme --secrets-use {setting} --url {url}");
    let told = ALICE.does(&mut host, &set).succeeds();
    assert!(told.contains(&format!("secrets use:  {setting}\n")), "{told}");
    let bob = invited(&mut host, "opstack:*:*");
    let send = |secret: &str| {
        format!("EXEC \"https://api.example/\"\nWITH secrets.headers.x-key.secret = \"{secret}\"\n")
    };
    let apply = format!("apply workspace --tenant acme --url {url}");
    host.write("workspace/OPS/shop/100/a.txcl", "EMIT .a = 1\n");
    BOB.does(&mut host, &apply).succeeds();
    host.write("workspace/OPS/shop/200/b.txcl", send("KEY_A"));
    let denied = BOB.does(&mut host, &apply).fails(1);
    assert!(denied.contains("capability_denied") && denied.contains("secret:KEY_A:use"), "{denied}");
    let bind = format!("auth tenant hostnames add shop.example --tenant acme --url {url}");
    // Who is bound by it does not loosen it.
    let loosened = BOB.does(&mut host, &set.replace(setting, "implied")).fails(1);
    assert!(loosened.contains("capability_denied"), "{loosened}");
    let denied = BOB.does(&mut host, &bind).fails(1);
    assert!(denied.contains("hostname:*:write"), "{denied}");

    let grant = |caps: &str| format!("auth tenant grant {bob} --caps {caps} --tenant acme --url {url}");
    ALICE.does(&mut host, &grant("opstack:*:*,secret:KEY_A:use")).succeeds();
    BOB.does(&mut host, &apply).succeeds();
    // What is in use stays so, without a grant for each.
    ALICE.does(&mut host, &grant("opstack:*:*")).succeeds();
    host.write("workspace/OPS/shop/100/a.txcl", "EMIT .a = 2\n");
    BOB.does(&mut host, &apply).succeeds();
    host.write("workspace/OPS/shop/300/c.txcl", send("KEY_B"));
    assert!(BOB.does(&mut host, &apply).fails(1).contains("secret:KEY_B:use"));
    ALICE.does(&mut host, &grant("opstack:*:read,opstack:*:update")).succeeds();
    host.write("workspace/OPS/shop/300/c.txcl", "EMIT .c = 1\n");
    let denied = BOB.does(&mut host, &apply).fails(1);
    assert!(denied.contains("opstack:*:activate"), "{denied}");
    host.finish();
}

/// What somebody may do in one tenant says nothing of another: whose op it becomes is the chassis's to ask.
#[test]
fn an_op_is_pushed_where_its_pusher_may() {
    let mut host = bootstrapped();
    let url = url(&host);
    host.write("auth.wasm", AUTH);
    ALICE.does(&mut host, &format!("auth tenant create acme --url {url}")).succeeds();
    let bob = invited(&mut host, "opstack:*:*");
    let of = |verb: &str, tenant: &str| format!("op {verb} --tenant {tenant} --url {url}");
    BOB.does(&mut host, &of("push auth.wasm", "acme")).succeeds();
    for verb in ["push auth.wasm", "rm basic-auth-encode", "show basic-auth-encode", "list"] {
        let denied = BOB.does(&mut host, &of(verb, "default")).fails(1);
        assert!(denied.contains("capability_denied"), "{verb}: {denied}");
    }
    let caps = "secret:*:write,opstack:*:read";
    ALICE
        .does(&mut host, &format!("auth tenant grant {bob} --caps {caps} --tenant acme --url {url}"))
        .succeeds();
    BOB.does(&mut host, &of("list", "acme")).succeeds();
    for verb in ["push auth.wasm", "rm basic-auth-encode"] {
        let denied = BOB.does(&mut host, &of(verb, "acme")).fails(1);
        assert!(denied.contains("capability_denied"), "{verb}: {denied}");
    }
    let listed = ALICE.does(&mut host, &of("list", "default")).succeeds();
    assert!(!listed.contains("basic-auth-encode"), "{listed}");
    let listed = ALICE.does(&mut host, &of("list", "acme")).succeeds();
    assert!(listed.contains("basic-auth-encode"), "{listed}");
    host.finish();
}

/// With the enrolment secret a new key needs no word of the old one: it is somebody new, and the
/// old key ends all the same.
#[test]
fn a_key_is_rotated_by_the_enrolment_secret() {
    let mut host = Host::serve(TXCO).flags(&["--auth-dev-enroll-secret", "open-sesame"]).start();
    let url = url(&host);
    ALICE.does(&mut host, &format!("auth bootstrap-local --url {url} --secret open-sesame")).succeeds();
    let who = |host: &mut Host| {
        let who = ALICE.does(host, &format!("auth whoami --url {url}")).succeeds();
        (field(&who, "actor_id:"), field(&who, "key_id:"))
    };
    let (actor, key) = who(&mut host);
    let wrong = ALICE.does(&mut host, &format!("auth rotate-key --url {url} --secret wrong")).fails(1);
    assert!(wrong.contains("invalid_enrollment_secret"), "{wrong}");
    assert_eq!(who(&mut host), (actor.clone(), key.clone()), "the old key is in use");
    let rotated =
        ALICE.does(&mut host, &format!("auth rotate-key --url {url} --secret open-sesame --json")).succeeds();
    let rotated: serde_json::Value = serde_json::from_str(&rotated).unwrap();
    assert_eq!(rotated["revoked_key_id"], key.as_str());
    let (new_actor, new_key) = who(&mut host);
    assert_eq!(
        (&rotated["actor_id"], &rotated["key_id"]),
        (&new_actor.as_str().into(), &new_key.as_str().into())
    );
    assert!(new_actor != actor && new_key != key, "somebody new: {new_actor} {new_key}");
    host.finish();
}
