-- The tables of the Go chassis for applied rules. A no-op on its files, whose rows stay.
CREATE TABLE IF NOT EXISTS stacks (
    stack_id       TEXT PRIMARY KEY,
    tenant_id      TEXT NOT NULL,
    name           TEXT NOT NULL,
    active_version INTEGER,
    created_at     TEXT NOT NULL,
    mint_hostname  INTEGER NOT NULL DEFAULT 1,
    UNIQUE (tenant_id, name)
);

CREATE TABLE IF NOT EXISTS stack_versions (
    version_id        INTEGER PRIMARY KEY,
    stack_id          TEXT NOT NULL,
    version_number    INTEGER NOT NULL,
    parent_version_id INTEGER,
    status            TEXT NOT NULL,
    created_by        TEXT,
    created_at        TEXT NOT NULL,
    activated_at      TEXT,
    manifest_hash     TEXT,
    UNIQUE (stack_id, version_number)
);

CREATE TABLE IF NOT EXISTS stack_files (
    version_id   INTEGER NOT NULL,
    path         TEXT NOT NULL,
    content      TEXT,
    content_hash TEXT,
    PRIMARY KEY (version_id, path)
);

-- The rules of active versions once more, as the Go chassis reads them. What we activated is
-- served from its version; what stands only here was activated there.
CREATE TABLE IF NOT EXISTS ops (
    stack     TEXT NOT NULL,
    scope     INTEGER NOT NULL,
    name      TEXT NOT NULL DEFAULT '',
    txcl      TEXT NOT NULL,
    mock_req  TEXT,
    mock_res  TEXT,
    tenant_id TEXT NOT NULL,
    UNIQUE (stack, scope, txcl, tenant_id)
);
CREATE INDEX IF NOT EXISTS txco_ops_of_tenant_idx ON ops (tenant_id, stack);

CREATE TABLE IF NOT EXISTS tenant_hostnames (
    id          TEXT PRIMARY KEY,
    hostname    TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    stack       TEXT,
    created_at  TEXT NOT NULL,
    created_by  TEXT,
    revoked_at  TEXT,
    verified_at TEXT
);

-- The versions that this chassis activated once: their manifest then, which is what is served.
CREATE TABLE txco_activated (
    version_id    INTEGER PRIMARY KEY,
    manifest_hash TEXT NOT NULL
);

-- The ops of the tenant that the rules of a version call, by the digests of that moment: what
-- is pushed later is for versions that are activated later.
CREATE TABLE txco_version_ops (
    version_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    delivery   TEXT NOT NULL,
    digest     TEXT NOT NULL REFERENCES txco_components (digest),
    signature  TEXT,
    PRIMARY KEY (version_id, name, delivery)
);
CREATE INDEX txco_version_ops_by_digest_idx ON txco_version_ops (digest);
