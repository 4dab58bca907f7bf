-- The tables of the Go chassis's actor database. A no-op on its files.
CREATE TABLE IF NOT EXISTS actors (
    actor_id    TEXT PRIMARY KEY,
    label       TEXT,
    kind        TEXT,
    subject     TEXT,
    tenant      TEXT,
    stack       TEXT,
    super_admin INTEGER NOT NULL DEFAULT 0,
    created_at  TEXT NOT NULL,
    revoked_at  TEXT,
    meta        TEXT
);

-- `public_key` is the 32 bytes of an ed25519 key.
CREATE TABLE IF NOT EXISTS actor_keys (
    key_id     TEXT PRIMARY KEY,
    actor_id   TEXT NOT NULL REFERENCES actors (actor_id),
    public_key BLOB NOT NULL,
    algorithm  TEXT NOT NULL,
    created_at TEXT NOT NULL,
    revoked_at TEXT,
    meta       TEXT
);

CREATE TABLE IF NOT EXISTS actor_memberships (
    actor_id          TEXT NOT NULL REFERENCES actors (actor_id),
    tenant_id         TEXT NOT NULL,
    capabilities_json TEXT NOT NULL,
    created_at        TEXT NOT NULL,
    revoked_at        TEXT,
    PRIMARY KEY (actor_id, tenant_id)
);

-- `token_hash` is the SHA-256 of the token, in lower-case hex.
CREATE TABLE IF NOT EXISTS actor_invitations (
    invitation_id TEXT PRIMARY KEY,
    token_hash    TEXT NOT NULL UNIQUE,
    label         TEXT,
    kind          TEXT,
    tenant_id     TEXT,
    capabilities  TEXT NOT NULL,
    created_by    TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    expires_at    TEXT NOT NULL,
    consumed_at   TEXT,
    consumed_by   TEXT,
    revoked_at    TEXT
);

CREATE INDEX IF NOT EXISTS actor_keys_actor_idx ON actor_keys (actor_id);
CREATE INDEX IF NOT EXISTS actor_memberships_tenant_idx ON actor_memberships (tenant_id);
