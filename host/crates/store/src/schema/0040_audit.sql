-- The audit (R36): an append-only chain, one per database file. Each row carries the hash of
-- the one before it and a seal, an HMAC under a key that lies here wrapped by the master key.
-- `detail` is JSON, and what is sealed is its text. Rows written while the secret store is
-- off have no seal.
CREATE TABLE txco_audit (
    seq       INTEGER PRIMARY KEY,
    at        TEXT NOT NULL,
    actor     TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    action    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    detail    TEXT NOT NULL,
    previous  BLOB NOT NULL,
    audit_key TEXT,
    seal      BLOB
);

-- What was there before the first row; the first row holds its digest.
CREATE TABLE txco_audit_baseline (line TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE txco_audit_keys (
    audit_key  TEXT PRIMARY KEY,
    key_id     TEXT NOT NULL,
    nonce      BLOB NOT NULL,
    wrapped    BLOB NOT NULL,
    created_at TEXT NOT NULL
);

-- "Was this value ever stored?": an HMAC of each value of 16 bytes or more, until the value
-- is destroyed.
CREATE TABLE txco_audit_values (
    secret_id  TEXT NOT NULL,
    version_no INTEGER NOT NULL,
    audit_key  TEXT NOT NULL,
    mac        BLOB NOT NULL,
    PRIMARY KEY (secret_id, version_no)
) WITHOUT ROWID;
CREATE INDEX txco_audit_values_by_mac_idx ON txco_audit_values (mac);
