-- What is asked of a host to see that it is its tenant's; one for each binding.
CREATE TABLE txco_hostname_proofs (
    hostname_id TEXT PRIMARY KEY REFERENCES tenant_hostnames (id) ON DELETE CASCADE,
    token       TEXT NOT NULL UNIQUE,
    answer      TEXT NOT NULL,
    expires_at  INTEGER NOT NULL
);
