//! Stacks: drafts take files, versions are activated whole, and what is served is what was activated.

use jiff::{SignedDuration, Timestamp};
use model::{Delivery, Digest, Hostname, OpName, StackName, TenantId};
use rusqlite::Connection;
use txco_store::{
    Activated, Activation, Base, By, Change, Error, HostnameProof, KEPT_VERSIONS, Managed, NewBuild, Options,
    Pin, Pinned, ProofMethod, StackFile, StackRefusal, Store, VersionAddress, VersionStatus, manifest_of,
};

struct House {
    folder: tempfile::TempDir,
    store: Store,
    tenant: TenantId,
    shop: StackName,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
    store.begin_audit().unwrap();
    let (tenant, shop) = (TenantId::parse("tnt_default").unwrap(), StackName::parse("shop").unwrap());
    House { folder, store, tenant, shop }
}

fn file(path: &str, content: &str) -> StackFile {
    StackFile { path: path.to_owned(), content: content.to_owned() }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> StackRefusal {
    let error = result.unwrap_err();
    if let Error::Stack(refusal) = error { refusal } else { panic!("{error}") }
}

impl House {
    fn at(&self, number: u32) -> VersionAddress<'_> {
        VersionAddress { tenant: &self.tenant, stack: &self.shop, number }
    }

    fn draft(&self, from: Base) -> u32 {
        self.store.begin_draft(&self.tenant, &self.shop, from, By::Actor("actor_a")).unwrap()
    }

    fn put(&self, number: u32, files: &[StackFile]) -> String {
        self.store.put_files(self.at(number), files, Managed::All, By::Open).unwrap()
    }

    fn activate(&self, number: u32, manifest: &str) -> Result<Activated, Error> {
        self.activate_with(number, manifest, None, &[])
    }

    fn activate_with(
        &self,
        number: u32,
        manifest: &str,
        active: Option<&str>,
        pins: &[Pin],
    ) -> Result<Activated, Error> {
        let activation = Activation { number, manifest, active, pins, rules: &[] };
        self.store.activate(&self.tenant, &self.shop, &activation, By::Actor("actor_a"))
    }

    /// A new version with one rule, active.
    fn apply(&self, text: &str) -> (u32, String) {
        let number = self.draft(Base::Nothing);
        let manifest = self.put(number, &[file("100/a.txcl", text)]);
        self.activate(number, &manifest).unwrap();
        (number, manifest)
    }

    fn sql(&self, sql: &str) {
        let path = self.folder.path().join("runtime-dev.db");
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    fn served(&self) -> (Option<u32>, String, Pinned) {
        let mut served = self.store.served(&self.tenant).unwrap();
        let served = served.pop().unwrap();
        (served.version, served.files[0].content.clone(), served.pinned)
    }

    fn push(&self, component: &[u8]) -> Pin {
        let name = OpName::parse("signer").unwrap();
        let build = NewBuild { delivery: Delivery::Reveal, component, signature: None };
        self.store.push_op(&self.tenant, &name, &[build], By::Open, 9).unwrap();
        Pin { name, delivery: Delivery::Reveal, digest: Digest::of(component), signature: None }
    }
}

#[test]
fn a_draft_takes_files_and_becomes_the_active_version() {
    let house = house();
    let number = house.draft(Base::Nothing);
    assert_eq!(number, 1);
    let files = [file("100/a.txcl", "EMIT .a = 1"), file("200/b.txcl", "EMIT .b = 1")];
    let manifest = house.put(number, &files);
    assert_eq!(manifest, manifest_of(&files).to_string());
    assert!(house.store.served(&house.tenant).unwrap().is_empty(), "a draft is not served");
    let activated = house.activate(number, &manifest).unwrap();
    assert_eq!(activated, Activated { prior: None, unchanged: false });
    let stack = house.store.stack(&house.tenant, &house.shop).unwrap().unwrap();
    let active = stack.active.unwrap();
    assert_eq!((active.number, active.manifest.as_str(), active.files), (1, manifest.as_str(), 2));
    assert_eq!(active.status, VersionStatus::Active);
    assert_eq!(house.served().0, Some(1));
    assert!(house.activate(number, &manifest).unwrap().unchanged);

    // It is closed now.
    let put = house.store.put_files(house.at(1), &files, Managed::All, By::Open);
    assert_eq!(refusal(put), StackRefusal::NotDraft(1));
}

#[test]
fn an_older_version_becomes_active_again() {
    let house = house();
    let (one, manifest) = house.apply("EMIT .a = 1");
    let (two, _) = house.apply("EMIT .a = 2");
    assert_eq!(house.served().1, "EMIT .a = 2");
    let activated = house.activate(one, &manifest).unwrap();
    assert_eq!(activated.prior, Some(two));
    assert_eq!(house.served().1, "EMIT .a = 1");
    let statuses = house.store.stack_versions(&house.tenant, &house.shop).unwrap();
    let statuses: Vec<_> = statuses.iter().map(|version| version.status.word()).collect();
    assert_eq!(statuses, ["superseded", "active"]);
    assert_eq!(house.store.deactivate(&house.tenant, &house.shop, By::Open).unwrap(), one);
    assert!(house.store.served(&house.tenant).unwrap().is_empty());
    let verdict = house.store.verify_audit(&[], None).unwrap();
    assert!(verdict.wrong.is_none() && verdict.unexplained.is_empty(), "{verdict:?}");
}

#[test]
fn only_what_was_looked_at_is_activated() {
    let house = house();
    let number = house.draft(Base::Nothing);
    let checked = house.put(number, &[file("100/a.txcl", "EMIT .a = 1")]);
    let found = house.put(number, &[file("100/a.txcl", "EMIT .a = 2")]);
    let refused = refusal(house.activate(number, &checked));
    assert_eq!(refused, StackRefusal::ManifestChanged { number, found: found.clone() });
    assert!(house.store.served(&house.tenant).unwrap().is_empty());

    // Two who looked at the same: the second has to look again.
    house.activate_with(number, &found, Some(""), &[]).unwrap();
    let other = house.draft(Base::Active);
    let manifest = house.store.stack_version(house.at(other)).unwrap().version.manifest;
    assert_eq!(manifest, found, "a draft begins with the files of the active version");
    let refused = refusal(house.activate_with(other, &manifest, Some(""), &[]));
    assert_eq!(refused, StackRefusal::ActiveChanged { found });
    assert_eq!(refusal(house.activate(99, "")), StackRefusal::NoVersion(99));
}

#[test]
fn files_change_one_by_one_only_from_what_was_looked_at() {
    let house = house();
    let number = house.draft(Base::Nothing);
    let change = |change| house.store.change_file(house.at(number), change, By::Open);
    let write = |content, base| Change::Write { path: "100/a.txcl", content, base };
    change(write("one", "")).unwrap();
    let path = "100/a.txcl".to_owned();
    assert_eq!(refusal(change(write("two", ""))), StackRefusal::FileExists { path: path.clone() });
    let (one, other) = (Digest::of(b"one").to_string(), Digest::of(b"other").to_string());
    assert_eq!(refusal(change(write("two", &other))), StackRefusal::FileChanged { path: path.clone() });
    let manifest = change(write("two", &one)).unwrap();
    assert_eq!(manifest, manifest_of(&[file("100/a.txcl", "two")]).to_string());
    let remove = |base| Change::Remove { path: "100/a.txcl", base };
    assert_eq!(refusal(change(remove(&one))), StackRefusal::FileChanged { path: path.clone() });
    let two = Digest::of(b"two").to_string();
    change(remove(&two)).unwrap();
    assert_eq!(refusal(change(remove(&one))), StackRefusal::NoFile { path });
}

/// A version calls the bytes of its activation, whatever is pushed or removed later.
#[test]
fn a_version_is_pinned_to_the_ops_of_its_activation() {
    let house = house();
    let one = house.push(b"one");
    let number = house.draft(Base::Nothing);
    let manifest = house.put(number, &[file("100/a.txcl", "EXEC \"op://signer\"")]);
    let pins = std::slice::from_ref(&one);
    let two = house.push(b"two");
    let refused = refusal(house.activate_with(number, &manifest, None, pins));
    assert_eq!(refused, StackRefusal::OpChanged("signer".to_owned()), "checked with what is gone");
    house.push(b"one");
    house.activate_with(number, &manifest, None, pins).unwrap();
    house.push(b"two");
    house.store.remove_op(&house.tenant, &two.name, By::Open).unwrap();
    assert_eq!(house.served().2, Pinned::To(vec![one.clone()]));
    let component = house.store.component(&house.tenant, &one.digest).unwrap();
    assert_eq!(component.as_deref(), Some(b"one".as_slice()));
    let stranger = TenantId::parse("tnt_sys").unwrap();
    assert_eq!(house.store.component(&stranger, &one.digest).unwrap(), None, "it is the tenant's own");
    // Again active, it calls what it called.
    house.apply("EMIT .a = 1");
    house.activate_with(number, &manifest, None, pins).unwrap();
    assert_eq!(house.served().2, Pinned::To(vec![one]));
}

#[test]
fn files_that_were_changed_in_the_database_are_not_served_as_what_was_activated() {
    let house = house();
    house.apply("EMIT .a = 1");
    house.sql("UPDATE stack_files SET content = 'EMIT .a = 2'");
    assert_eq!(house.served().2, Pinned::Damaged);
    house.sql("UPDATE stack_files SET content = 'EMIT .a = 1'");
    assert_eq!(house.served().2, Pinned::To(Vec::new()));
    house.sql("UPDATE txco_activated SET manifest_hash = 'x'");
    let verdict = house.store.verify_audit(&[], None).unwrap();
    assert!(!verdict.unexplained.is_empty(), "{verdict:?}");
}

#[test]
fn the_oldest_versions_go_and_the_active_one_stays() {
    let house = house();
    let (first, _) = house.apply("EMIT .a = 1");
    for _ in 0..KEPT_VERSIONS + 5 {
        house.draft(Base::Nothing);
    }
    let versions = house.store.stack_versions(&house.tenant, &house.shop).unwrap();
    assert_eq!(versions.len(), KEPT_VERSIONS);
    assert_eq!(versions.last().unwrap().number, first);
    assert_eq!(versions[0].number, u32::try_from(KEPT_VERSIONS).unwrap() + 6);
    assert_eq!(house.served().0, Some(first));
}

#[test]
fn a_version_has_no_more_than_it_may() {
    let house = house();
    let number = house.draft(Base::Nothing);
    let put = |files: &[StackFile]| house.store.put_files(house.at(number), files, Managed::All, By::Open);
    let most = txco_store::MOST_FILES;
    let mut files: Vec<_> = (0..most).map(|n| file(&format!("1/r{n}.txcl"), "")).collect();
    put(&files).unwrap();
    files.push(file("2/a.txcl", ""));
    assert_eq!(refusal(put(&files)), StackRefusal::TooManyFiles { most });
    let most = txco_store::MOST_FILE_BYTES;
    let content = "x".repeat(most - "1/a.txcl".len());
    put(&[file("1/a.txcl", &content)]).unwrap();
    assert_eq!(refusal(put(&[file("1/aa.txcl", &content)])), StackRefusal::TooLarge { most });
}

#[test]
fn a_host_is_one_tenants() {
    let house = house();
    let host = Hostname::parse("shop.example").unwrap();
    let other = TenantId::parse("tnt_sys").unwrap();
    house.store.bind_hostname(&house.tenant, &host, Some(&house.shop), By::Open).unwrap();
    let taken = house.store.bind_hostname(&other, &host, None, By::Open);
    assert_eq!(refusal(taken), StackRefusal::HostnameTaken);
    house.store.bind_hostname(&house.tenant, &host, None, By::Open).unwrap();
    let all = house.store.hostnames(None).unwrap();
    assert_eq!((all.len(), all[0].hostname.as_str(), all[0].stack.as_ref()), (1, "shop.example", None));
    let release = |tenant| house.store.release_hostname(tenant, &host, By::Open);
    assert_eq!(refusal(release(&other)), StackRefusal::NoHostname);
    release(&house.tenant).unwrap();
    assert_eq!(refusal(release(&house.tenant)), StackRefusal::NoHostname);
    house.store.bind_hostname(&other, &host, None, By::Open).unwrap();
}

#[test]
fn a_host_goes_to_whom_its_zone_names_whoever_has_it() {
    let house = house();
    let host = Hostname::parse("shop.example").unwrap();
    let other = TenantId::parse("tnt_sys").unwrap();
    let expires = Timestamp::now() + SignedDuration::from_hours(1);
    let fresh = |token: &str| HostnameProof {
        token: token.to_owned(),
        answer: format!("answer to {token}"),
        expires,
    };
    let asked = |tenant, method, token| house.store.hostname_proof(tenant, &host, method, &fresh(token));
    let proven = |tenant, token, method| house.store.verify_hostname(tenant, &host, token, method, By::Open);

    assert_eq!(
        refusal(asked(&other, ProofMethod::Dns, "t0")),
        StackRefusal::NoHostname,
        "bind it: it is free"
    );
    house.store.bind_hostname(&house.tenant, &host, Some(&house.shop), By::Open).unwrap();
    asked(&house.tenant, ProofMethod::Http, "t1").unwrap();
    proven(&house.tenant, "t1", ProofMethod::Http).unwrap();
    asked(&other, ProofMethod::Dns, "t0").unwrap();
    // Whoever reaches the chassis at that name answers by http, the tenant that has it and any other.
    assert_eq!(refusal(asked(&other, ProofMethod::Http, "t2")), StackRefusal::NoHostname);
    assert_eq!(refusal(proven(&other, "t0", ProofMethod::Http)), StackRefusal::NoHostname);
    assert_eq!(asked(&other, ProofMethod::Dns, "t2").unwrap().token, "t0", "the open question stays");
    assert_eq!(
        house.store.hostname_answer("t0").unwrap(),
        None,
        "no answer by http for whom it does not lead to"
    );
    assert_eq!(refusal(proven(&other, "t9", ProofMethod::Dns)), StackRefusal::NoHostname);
    proven(&other, "t0", ProofMethod::Dns).unwrap();
    let all = house.store.hostnames(None).unwrap();
    assert_eq!((all.len(), &all[0].tenant, all[0].stack.as_ref()), (1, &other, None));
    assert!(all[0].verified_at.is_some());
    assert_eq!(refusal(proven(&other, "t0", ProofMethod::Dns)), StackRefusal::NoHostname, "good once");
    // Letting go ends the question.
    asked(&other, ProofMethod::Http, "t3").unwrap();
    house.store.release_hostname(&other, &host, By::Open).unwrap();
    house.store.bind_hostname(&other, &host, None, By::Open).unwrap();
    assert_eq!(asked(&other, ProofMethod::Http, "t4").unwrap().token, "t4");
}

/// What the Go chassis activated is served as it stands in its table.
#[test]
fn rules_of_the_go_chassis_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let sql = include_str!("../../../../../tests/vectors/store/go-runtime.sql");
    Connection::open(folder.path().join("runtime-dev.db")).unwrap().execute_batch(sql).unwrap();
    let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
    let tenant = TenantId::parse("tnt_default").unwrap();
    let served = store.served(&tenant).unwrap();
    let places: Vec<_> = served.iter().map(|one| (one.stack.as_str(), one.files[0].path.as_str())).collect();
    assert_eq!(places, [("shop/eu/de", "100/call.txcl"), ("website", "100/charge.txcl")]);
    assert!(served.iter().all(|one| one.version.is_none() && one.pinned == Pinned::Nowhere));
    let website = StackName::parse("website").unwrap();
    let record = store.stack(&tenant, &website).unwrap().unwrap();
    let active = record.active.unwrap();
    assert_eq!(
        (active.number, active.created_by.as_deref(), active.manifest.len()),
        (1, Some("actor_alice"), 64)
    );
    // From there on it is ours.
    let number = store.begin_draft(&tenant, &website, Base::Active, By::Open).unwrap();
    assert_eq!(number, 2);
    let at = VersionAddress { tenant: &tenant, stack: &website, number: 2 };
    let manifest = store.stack_version(at).unwrap().version.manifest;
    let activation = Activation { number, manifest: &manifest, active: None, pins: &[], rules: &[] };
    let activated = store.activate(&tenant, &website, &activation, By::Open).unwrap();
    assert_eq!(activated.prior, Some(1));
    let served = store.served(&tenant).unwrap();
    assert_eq!((served[1].version, served[1].files.len()), (Some(2), 1));
}
