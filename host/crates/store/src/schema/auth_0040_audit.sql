-- The audit of this file (R36): a chain of its own, as in the runtime database. Its seals are
-- made with the audit key that lies there.
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

-- Who was there before the first row; the first row holds its digest.
CREATE TABLE txco_audit_baseline (line TEXT PRIMARY KEY) WITHOUT ROWID;
