-- An actor database as the Go chassis leaves it: its layout, and rows of every kind. The key of
-- alice is the ed25519 key whose seed is 00 01 .. 1f; the token of inv_open is `a token of the Go chassis`.
CREATE TABLE varvals (var TEXT, val TEXT, UNIQUE (var));
INSERT INTO varvals VALUES ('txco-db-changeset-auth', '1');

CREATE TABLE actors (
    actor_id TEXT PRIMARY KEY, label TEXT, kind TEXT, subject TEXT, tenant TEXT, stack TEXT,
    super_admin INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, revoked_at TEXT, meta TEXT
);
CREATE TABLE actor_keys (
    key_id TEXT PRIMARY KEY, actor_id TEXT NOT NULL, public_key BLOB NOT NULL, algorithm TEXT NOT NULL,
    created_at TEXT NOT NULL, revoked_at TEXT, meta TEXT, FOREIGN KEY (actor_id) REFERENCES actors (actor_id)
);
CREATE INDEX actor_keys_actor_idx ON actor_keys (actor_id);
CREATE UNIQUE INDEX actor_keys_public_key_idx ON actor_keys (public_key) WHERE revoked_at IS NULL;
CREATE TABLE actor_memberships (
    actor_id TEXT NOT NULL, tenant_id TEXT NOT NULL, capabilities_json TEXT NOT NULL, created_at TEXT NOT NULL,
    revoked_at TEXT, PRIMARY KEY (actor_id, tenant_id), FOREIGN KEY (actor_id) REFERENCES actors (actor_id)
);
CREATE INDEX actor_memberships_tenant_idx ON actor_memberships (tenant_id);
CREATE TABLE actor_invitations (
    invitation_id TEXT PRIMARY KEY, token_hash TEXT NOT NULL UNIQUE, label TEXT, kind TEXT, tenant_id TEXT,
    capabilities TEXT NOT NULL, created_by TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL,
    consumed_at TEXT, consumed_by TEXT, revoked_at TEXT, FOREIGN KEY (created_by) REFERENCES actors (actor_id)
);
CREATE TABLE browser_sessions (session_id TEXT PRIMARY KEY, actor_id TEXT NOT NULL, tenant_id TEXT NOT NULL);

INSERT INTO actors (actor_id, label, kind, super_admin, created_at, revoked_at) VALUES
    ('actor_alice', 'alice', 'human', 1, '2025-02-01T00:00:00Z', NULL),
    ('actor_bob', 'bob', 'cli', 0, '2025-02-02T00:00:00Z', NULL),
    ('actor_carol', 'carol', 'human', 0, '2025-02-03T00:00:00Z', '2025-03-01T00:00:00Z');
INSERT INTO actor_keys (key_id, actor_id, public_key, algorithm, created_at, revoked_at) VALUES
    ('key_test', 'actor_alice', X'03A107BFF3CE10BE1D70DD18E74BC09967E4D6309BA50D5F1DDC8664125531B8', 'ed25519', '2025-02-01T00:00:00Z', NULL),
    ('key_bob', 'actor_bob', X'B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0', 'ed25519', '2025-02-02T00:00:00Z', NULL),
    ('key_carol', 'actor_carol', X'CACACACACACACACACACACACACACACACACACACACACACACACACACACACACACACACA', 'ed25519', '2025-02-03T00:00:00Z', '2025-03-01T00:00:00Z');
INSERT INTO actor_memberships VALUES
    ('actor_alice', 'tnt_default', '["admin:all"]', '2025-02-01T00:00:00Z', NULL),
    ('actor_bob', 'tnt_default', '["secret:*:read","kv:*:*"]', '2025-02-02T00:00:00Z', NULL),
    ('actor_bob', 'tnt_9acme', '["secret:*:*"]', '2025-02-02T00:00:00Z', '2025-02-05T00:00:00Z');
INSERT INTO actor_invitations VALUES
    ('inv_open', 'ec35632598a5c744ad596aa528ee3002dd12b55d2b4a1bcbe6e244021f95bb16', 'dave', 'human', '', '["secret:*:write"]', 'actor_alice', '2025-02-04T00:00:00Z',
     '2099-01-01T00:00:00Z', NULL, NULL, NULL),
    ('inv_late', '0000000000000000000000000000000000000000000000000000000000000000', 'erin', 'human', 'tnt_default', '["admin:all"]', 'actor_alice',
     '2025-02-04T00:00:00Z', '2025-02-05T00:00:00Z', NULL, NULL, NULL);
