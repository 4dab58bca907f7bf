-- What is asked about a host, of each tenant that says it is theirs: also of one that has not bound it.
CREATE TABLE txco_hostname_claims (
    tenant_id  TEXT NOT NULL,
    hostname   TEXT NOT NULL,
    token      TEXT NOT NULL UNIQUE,
    answer     TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hostname)
);
INSERT OR IGNORE INTO txco_hostname_claims (tenant_id, hostname, token, answer, expires_at)
    SELECT h.tenant_id, h.hostname, p.token, p.answer, p.expires_at
    FROM txco_hostname_proofs p JOIN tenant_hostnames h ON h.id = p.hostname_id WHERE h.revoked_at IS NULL;
DROP TABLE txco_hostname_proofs;
