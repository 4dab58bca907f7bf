-- The signatures that were seen, so that one is good once, also after a restart and for two
-- processes on one file (weakness A3). Only verified ones get here.
CREATE TABLE txco_nonces (
    key_id  TEXT NOT NULL,
    nonce   TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (key_id, nonce)
) WITHOUT ROWID;

CREATE INDEX txco_nonces_by_expiry_idx ON txco_nonces (expires);
