-- "What is still in the Go chassis's layout?" is a range of an index, and empty in the end.
CREATE INDEX txco_versions_scheme_one_idx ON tenant_secret_versions (aad_scheme) WHERE aad_scheme = 1;
