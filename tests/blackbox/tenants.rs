//! Tenants are made and listed, and a secret of one is not a secret of another.

use support::Host;

use crate::TXCO;

#[test]
fn the_default_tenant_is_there_and_another_can_be_made() {
    let mut host = Host::serve(TXCO).start();
    let url = format!("http://{}", host.admin_address());
    let tenants = host.txco(&["auth", "tenants", "--url", &url]).succeeds();
    assert!(tenants.lines().next().unwrap().split_whitespace().eq(["ACTIVE", "SLUG", "NAME", "TENANT_ID"]));
    assert!(tenants.contains(" default "), "{tenants}");

    let made = host.txco(&["auth", "tenant", "create", "acme", "--display-name", "Acme Corp", "--url", &url]);
    let made = made.succeeds();
    assert!(made.contains("tenant:") && made.contains("acme") && made.contains("tenant_id:"), "{made}");
    let tenants = host.txco(&["auth", "tenants", "--url", &url]).succeeds();
    assert!(tenants.contains("acme") && tenants.contains("Acme Corp"), "{tenants}");
    host.finish();
}

#[test]
fn a_secret_belongs_to_its_tenant() {
    let mut host = Host::serve(TXCO).start();
    let url = format!("http://{}", host.admin_address());
    host.txco(&["auth", "tenant", "create", "acme", "--url", &url]).succeeds();
    let canary = host.canary("of acme");
    let call = host
        .secrets_call(&["set", "STRIPE_API_KEY", "--tenant", "acme", "--description", "Stripe live key"])
        .stdin(canary.text());
    assert_eq!(host.run(&call).succeeds(), "created STRIPE_API_KEY (v1) in tenant \"acme\"\n");
    assert!(host.secrets(&["list", "--tenant", "acme"]).succeeds().contains("STRIPE_API_KEY"));
    assert_eq!(host.secrets(&["list"]).succeeds(), "(no secrets in tenant \"default\")\n");
    let call = host.secrets_call(&["list"]).env("TXCO_TENANT", "acme");
    assert!(host.run(&call).succeeds().contains("STRIPE_API_KEY"));
    host.finish();
}
