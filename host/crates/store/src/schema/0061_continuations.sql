-- Requests that wait for workers, or run while nobody waits for them. What they hold is sealed
-- under a key of the run's own; states are columns, each step is one transaction.

-- The rules that waiting requests began with, once for all of them.
CREATE TABLE txco_run_rules (
    digest  BLOB PRIMARY KEY,
    content TEXT NOT NULL
);

CREATE TABLE txco_runs (
    run_id      TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    -- The stack that it entered: it is asked for where it began.
    stack       TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    -- SHA-256 of what its client asks with.
    poll_hash   BLOB NOT NULL UNIQUE,
    key_id      TEXT NOT NULL,
    dek_nonce   BLOB NOT NULL,
    wrapped_dek BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    -- How often it has waited; its waits and what it holds are of this step.
    step        INTEGER NOT NULL DEFAULT 0,
    rules       BLOB REFERENCES txco_run_rules (digest),
    held_nonce  BLOB,
    held        BLOB,
    -- Waits of this step that are not over.
    open_waits  INTEGER NOT NULL DEFAULT 0,
    -- The life of a chassis that runs it now.
    owner       TEXT,
    -- Whether this step has done what must not be done twice.
    touched     INTEGER NOT NULL DEFAULT 0,
    ended_at    INTEGER,
    -- The code of the fault that ended it.
    failed      TEXT,
    result_nonce BLOB,
    result      BLOB
);
CREATE INDEX txco_runs_open_idx ON txco_runs (tenant_id) WHERE ended_at IS NULL;
CREATE INDEX txco_runs_ready_idx ON txco_runs (created_at)
    WHERE ended_at IS NULL AND owner IS NULL AND open_waits = 0;
CREATE INDEX txco_runs_owned_idx ON txco_runs (owner) WHERE ended_at IS NULL AND owner IS NOT NULL;
CREATE INDEX txco_runs_ended_idx ON txco_runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX txco_runs_key_idx ON txco_runs (key_id);
CREATE INDEX txco_runs_rules_idx ON txco_runs (rules);

CREATE TABLE txco_waits (
    wait_id     TEXT PRIMARY KEY,
    run_id      TEXT NOT NULL REFERENCES txco_runs (run_id) ON DELETE CASCADE,
    step        INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    -- SHA-256 of what the worker proves itself with.
    token_hash  BLOB NOT NULL,
    expires_at  INTEGER NOT NULL,
    -- completed, failed or expired; the first stays.
    ending      TEXT,
    output_nonce BLOB,
    output      BLOB
);
CREATE INDEX txco_waits_run_idx ON txco_waits (run_id);
CREATE INDEX txco_waits_open_idx ON txco_waits (expires_at) WHERE ending IS NULL;
