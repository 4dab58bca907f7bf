-- The ops of tenants. A component is stored once for its digest, which is computed here; an
-- op refers to it, so that nobody can change the op of another by storing something
-- (weakness W5), and two tenants that push the same bytes have two ops.
CREATE TABLE txco_components (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
);

CREATE TABLE txco_ops (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    name      TEXT NOT NULL,
    push_no   INTEGER NOT NULL,
    pushed_at TEXT NOT NULL,
    pushed_by TEXT,
    PRIMARY KEY (tenant_id, name)
);

-- `delivery` is reveal or use: one source makes up to two components.
CREATE TABLE txco_op_builds (
    tenant_id TEXT NOT NULL,
    name      TEXT NOT NULL,
    delivery  TEXT NOT NULL,
    digest    TEXT NOT NULL REFERENCES txco_components (digest),
    size      INTEGER NOT NULL,
    signature TEXT,
    PRIMARY KEY (tenant_id, name, delivery),
    FOREIGN KEY (tenant_id, name) REFERENCES txco_ops (tenant_id, name)
);

CREATE INDEX txco_op_builds_by_digest_idx ON txco_op_builds (digest);
