-- What a row was sealed with (R10), who made a version (weakness K9), and revocations
-- that end the search for a wider secret (R17).
--
-- Scheme 1 binds the generation number that stood on the parent row when the version was
-- sealed; it is remembered here because the parent's number moves on. Rows that the Go
-- chassis adds later have NULL and take the parent's.
ALTER TABLE tenant_secret_versions ADD COLUMN aad_scheme INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tenant_secret_versions ADD COLUMN key_id TEXT;
ALTER TABLE tenant_secret_versions ADD COLUMN aad_key_version INTEGER;
ALTER TABLE tenant_secret_versions ADD COLUMN created_by TEXT;
ALTER TABLE tenant_secrets ADD COLUMN blocks_fallback INTEGER NOT NULL DEFAULT 0;

UPDATE tenant_secret_versions SET aad_key_version =
    (SELECT key_version FROM tenant_secrets s WHERE s.secret_id = tenant_secret_versions.secret_id);

-- Resolution asks for a name in all scopes of a tenant, revoked ones included.
CREATE INDEX txco_secrets_by_name_idx ON tenant_secrets (tenant_id, name);
-- "Does this key open everything?" is one index lookup, not a scan.
CREATE INDEX txco_versions_by_key_idx ON tenant_secret_versions (key_id);

CREATE TABLE txco_keys (
    key_id        TEXT PRIMARY KEY,
    check_value   BLOB NOT NULL,
    first_seen_at TEXT NOT NULL
);
