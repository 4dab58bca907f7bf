-- What a secret may be used for (R19), as the text whose digest is sealed into its DEKs
-- (R10); NULL is no policy.
ALTER TABLE tenant_secrets ADD COLUMN policy TEXT;

-- How the value is read as a key (sealed in; NULL is text), until when it holds, until when
-- a newer version leaves it in use, and when its bytes were destroyed.
ALTER TABLE tenant_secret_versions ADD COLUMN key_encoding TEXT;
ALTER TABLE tenant_secret_versions ADD COLUMN expires_at TEXT;
ALTER TABLE tenant_secret_versions ADD COLUMN retiring_until TEXT;
ALTER TABLE tenant_secret_versions ADD COLUMN destroyed_at TEXT;
ALTER TABLE tenant_secret_versions ADD COLUMN destroyed_by TEXT;

-- How often and when last a version was handed out; written in batches, so that a crash
-- loses the last of it and a request never waits for it.
CREATE TABLE txco_secret_uses (
    secret_id    TEXT NOT NULL,
    version_no   INTEGER NOT NULL,
    uses         INTEGER NOT NULL,
    last_used_at TEXT NOT NULL,
    PRIMARY KEY (secret_id, version_no)
) WITHOUT ROWID;
