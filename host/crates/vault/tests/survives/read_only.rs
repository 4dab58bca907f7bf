//! A database that cannot be written is told by its path, and left as it is.

use std::fs;

use support::faults::preload;

use crate::deeds::Deed;
use crate::house::left;

pub(crate) const TESTS: &[(&str, fn())] = &[("a_folder_that_is_read_only", folder)];

fn folder() {
    let deed = Deed::called("first start");
    for found in ["create", "first start"] {
        let folder = Deed::called(found).before();
        let bytes = fs::read(folder.path().join("runtime-dev.db")).ok();
        let path = folder.path().to_str().unwrap().to_owned();
        let child = deed.child(folder.path(), &[preload(), ("TXCO_READ_ONLY", path.clone())]);
        let said = String::from_utf8(child.stdout).unwrap();
        let expected = if bytes.is_some() {
            format!(
                "secret store: {path}/runtime-dev.db cannot be written: look at its permissions, those of \
                 its folder, and whether the disk is mounted read-only\n"
            )
        } else {
            format!(
                "secret store: database file {path}/runtime-dev.db: read-only filesystem or storage medium\n"
            )
        };
        // At both attempts: it stays as it is.
        assert_eq!(said, expected.repeat(2));
        assert_eq!(fs::read(folder.path().join("runtime-dev.db")).ok(), bytes);
        left(folder.path());
    }
}
