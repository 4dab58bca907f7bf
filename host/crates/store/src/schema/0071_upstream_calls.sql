-- How many requests to upstreams a tenant may have under way; 0 leaves it to the chassis.
ALTER TABLE tenant_runtime_state ADD COLUMN upstream_calls_limit INTEGER NOT NULL DEFAULT 0;
