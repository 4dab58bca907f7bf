-- What a tenant may have of the chassis now, and whether it is suspended. A file of the Go
-- chassis has this table already; 0 is no limit there too.
CREATE TABLE IF NOT EXISTS tenant_runtime_state (
    tenant_id         TEXT PRIMARY KEY,
    enabled           INTEGER NOT NULL DEFAULT 1,
    suspended         INTEGER NOT NULL DEFAULT 0,
    deny_status       INTEGER NOT NULL DEFAULT 0,
    deny_reason       TEXT    NOT NULL DEFAULT '',
    rate_limit_rps    INTEGER NOT NULL DEFAULT 0,
    rate_burst        INTEGER NOT NULL DEFAULT 0,
    concurrency_limit INTEGER NOT NULL DEFAULT 0
);
