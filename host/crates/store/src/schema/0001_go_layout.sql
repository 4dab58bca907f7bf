-- The tables of the Go chassis's runtime database that we read and write
-- (its migrations 0008 and 0021). A no-op on its files.
CREATE TABLE IF NOT EXISTS tenants (
    tenant_id  TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT,
    created_at TEXT NOT NULL,
    revoked_at TEXT
);

CREATE TABLE IF NOT EXISTS tenant_secrets (
    secret_id       TEXT PRIMARY KEY,
    tenant_id       TEXT NOT NULL,
    stack           TEXT,
    name            TEXT NOT NULL,
    description     TEXT,
    created_at      TEXT NOT NULL,
    created_by      TEXT,
    revoked_at      TEXT,
    last_rotated_at TEXT,
    key_version     INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE IF NOT EXISTS tenant_secret_versions (
    version_id  TEXT PRIMARY KEY,
    secret_id   TEXT NOT NULL REFERENCES tenant_secrets (secret_id),
    version_no  INTEGER NOT NULL,
    nonce       BLOB NOT NULL,
    ciphertext  BLOB NOT NULL,
    wrapped_dek BLOB NOT NULL,
    dek_nonce   BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    revoked_at  TEXT
);

CREATE INDEX IF NOT EXISTS tenant_secrets_tenant_idx ON tenant_secrets (tenant_id);
CREATE INDEX IF NOT EXISTS tenant_secret_versions_by_secret_idx
    ON tenant_secret_versions (secret_id, version_no);

-- The tenants that every chassis has.
INSERT OR IGNORE INTO tenants (tenant_id, slug, name, created_at) VALUES
    ('tnt_default', 'default', 'default', strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    ('tnt_sys', '_sys', '_sys', strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));
