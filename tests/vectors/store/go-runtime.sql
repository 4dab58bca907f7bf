-- A runtime database as the Go chassis writes it, for tests: its tables, its bookkeeping
-- and secrets sealed by scheme 1 under the master key 00 01 … 1f. Made with Python's
-- cryptography and checked against vector A of the specification.
CREATE TABLE tenants (tenant_id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT, created_at TEXT NOT NULL, revoked_at TEXT);
CREATE TABLE stacks (stack_id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, name TEXT NOT NULL, active_version INTEGER, created_at TEXT NOT NULL, mint_hostname INTEGER NOT NULL DEFAULT 1, UNIQUE (tenant_id, name));
CREATE TABLE stack_versions (version_id INTEGER PRIMARY KEY, stack_id TEXT NOT NULL, version_number INTEGER NOT NULL, parent_version_id INTEGER, status TEXT NOT NULL, created_by TEXT, created_at TEXT NOT NULL, activated_at TEXT, manifest_hash TEXT, UNIQUE (stack_id, version_number));
CREATE TABLE stack_files (version_id INTEGER NOT NULL, path TEXT NOT NULL, content TEXT, content_hash TEXT, PRIMARY KEY (version_id, path));
CREATE TABLE ops (stack TEXT NOT NULL, scope INTEGER NOT NULL, name TEXT NOT NULL DEFAULT '', txcl TEXT NOT NULL, mock_req TEXT, mock_res TEXT, tenant_id TEXT NOT NULL, UNIQUE (stack, scope, txcl, tenant_id));
CREATE UNIQUE INDEX ops_name_idx ON ops (stack, scope, name, tenant_id) WHERE name <> '';
CREATE TABLE varvals (var TEXT UNIQUE, val TEXT);
CREATE TABLE tenant_secrets (
    secret_id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, stack TEXT, name TEXT NOT NULL, description TEXT,
    created_at TEXT NOT NULL, created_by TEXT, revoked_at TEXT, last_rotated_at TEXT, key_version INTEGER NOT NULL DEFAULT 1);
CREATE UNIQUE INDEX tenant_secrets_active_name_idx ON tenant_secrets (tenant_id, COALESCE(stack,''), name) WHERE revoked_at IS NULL;
CREATE INDEX tenant_secrets_tenant_idx ON tenant_secrets (tenant_id);
CREATE TABLE tenant_secret_versions (
    version_id TEXT PRIMARY KEY, secret_id TEXT NOT NULL REFERENCES tenant_secrets(secret_id), version_no INTEGER NOT NULL,
    nonce BLOB NOT NULL, ciphertext BLOB NOT NULL, wrapped_dek BLOB NOT NULL, dek_nonce BLOB NOT NULL,
    created_at TEXT NOT NULL, revoked_at TEXT);
CREATE INDEX tenant_secret_versions_by_secret_idx ON tenant_secret_versions (secret_id, version_no);
CREATE UNIQUE INDEX tenant_secret_versions_secret_ver_uidx ON tenant_secret_versions (secret_id, version_no);

INSERT INTO varvals VALUES ('txco-db-changeset-runtime', '23');
INSERT INTO tenants VALUES ('tnt_default', 'default', 'Default', '2025-01-01T00:00:00Z', NULL);
INSERT INTO tenants VALUES ('tnt_sys', '_sys', 'System', '2025-01-01T00:00:00Z', NULL);
INSERT INTO tenants VALUES ('tnt_9acme', 'acme', NULL, '2025-02-01T00:00:00Z', NULL);
INSERT INTO tenants VALUES ('tnt_9gone', 'gone', NULL, '2025-02-01T00:00:00Z', '2025-02-02T00:00:00Z');
INSERT INTO stacks VALUES ('stk_1', 'tnt_default', 'website', 1, '2025-02-01T00:00:00Z', 1);
INSERT INTO stacks VALUES ('stk_2', 'tnt_default', 'shop', 1, '2025-02-01T00:00:00Z', 1);
INSERT INTO stacks VALUES ('stk_3', 'tnt_default', 'shop/eu', 1, '2025-02-01T00:00:00Z', 1);
INSERT INTO stack_versions VALUES (1, 'stk_1', 1, NULL, 'active', 'actor_alice', '2025-02-01T00:00:00Z', '2025-02-01T00:00:00Z', NULL);
INSERT INTO stack_files VALUES (1, '100/charge.txcl', 'EXEC "https://api.stripe.com/v1/charges" WITH secrets.headers.authorization.secret = "STRIPE_API_KEY"', NULL);
INSERT INTO ops VALUES ('website', 100, 'charge', 'EXEC "https://api.stripe.com/v1/charges" WITH secrets.headers.authorization.secret = "STRIPE_API_KEY"', NULL, NULL, 'tnt_default');
INSERT INTO ops VALUES ('shop/eu/de', 100, 'call', 'EXEC "https://api.acme.example/" WITH secrets.headers.x-api-key.secret = "ACME_KEY"', NULL, NULL, 'tnt_default');

-- Vector A of the specification, tenant-wide.
INSERT INTO tenant_secrets VALUES ('sec_TEST','tnt_default',NULL,'STRIPE_API_KEY','Stripe live key','2025-03-01T09:00:00Z','actor_alice',NULL,NULL,1);
INSERT INTO tenant_secret_versions VALUES ('sec_v_TEST1','sec_TEST',1,X'000102030405060708090a0b',X'2f3902cb23438eb3dd9baacf5dd7ee101e2b46e0fef406b193818e',
  X'b8df4bfb5b53da741f0362febda608c86532dfddc2480d9da39bc0dbd89dfec509a3a872e8659daca2d2520a94e8f998',X'0c0d0e0f1011121314151617','2025-03-01T09:00:00Z',NULL);

-- Revoked in a stack by the Go chassis: falls through to the one above.
INSERT INTO tenant_secrets VALUES ('sec_2WebRev','tnt_default','website','STRIPE_API_KEY',NULL,'2025-03-02T09:00:00Z',NULL,'2025-04-01T00:00:00Z',NULL,1);
INSERT INTO tenant_secret_versions VALUES ('sec_v_2WebRev1','sec_2WebRev',1,X'4517f796953998fe982135f8',X'0ecfa1f9a5c26119fdb2e378d7aed77baa65785bfe8ecb3bee5cab643169aa9da272',
  X'23a9230c55f04959e41584be1b5732532e6397be53815d58dfa41084ebf14bd0d247407f2762b9a45061e5a751fd67ac',X'66cab1524e61dad5a8cf5f7a','2025-03-02T09:00:00Z',NULL);

-- Scoped to a stack that has a nested one: shop/eu did not inherit it there.
INSERT INTO tenant_secrets VALUES ('sec_3ShopKey','tnt_default','shop','ACME_KEY',NULL,'2025-03-03T09:00:00Z','actor_alice',NULL,NULL,1);
INSERT INTO tenant_secret_versions VALUES ('sec_v_3ShopKey1','sec_3ShopKey',1,X'189adf743dda04efbe824f65',X'258f9028dfe39aebdd6b3863acc22fbd78f809215fce3a57bb5b7c53',
  X'70c10845619440e217ee469bf1f94e6c2c9e8b72962c0abd2e590774cf704e4567941155b02c38afce6ebf55dbd842bc',X'9fac8bf5821c2d2435eb3b17','2025-03-03T09:00:00Z',NULL);

-- The tenant-wide one of the same name, which shop/eu got instead.
INSERT INTO tenant_secrets VALUES ('sec_4WideAcme','tnt_default',NULL,'ACME_KEY',NULL,'2025-03-03T10:00:00Z','actor_alice',NULL,NULL,1);
INSERT INTO tenant_secret_versions VALUES ('sec_v_4WideAcme1','sec_4WideAcme',1,X'389ff994b8dea2628d4fcb1f',X'71dd09630f68dd88c235f0391a3e5fd19bdae860c13c2eff999b73a092a3',
  X'f6b01f71cc8b438af1aec5f3eabd1d8da2050bc5a6862295fbd8495dcd984b6885230b0d8048a09dd06addfab0cca8df',X'e2b3bc9452d0d699e9004461','2025-03-03T10:00:00Z',NULL);

-- Generated and rotated: raw random bytes, as the Go chassis stored them.
INSERT INTO tenant_secrets VALUES ('sec_5Hmac','tnt_default',NULL,'WEBHOOK_HMAC','minted by the chassis','2025-03-04T09:00:00Z','actor_alice',NULL,'2025-03-05T09:00:00Z',1);
INSERT INTO tenant_secret_versions VALUES ('sec_v_5Hmac1','sec_5Hmac',1,X'15490a337e88f74e7d39b90f',X'f4dcdcfd2ae4c53c6c8db07d82496160daddaf1365dcd8a33509be9385872e79d6f0f57d3c76ceffd9de0f1063b65b1b',
  X'297ec7deb1cec681531317f77df8537c2687a6cc5221d53046c798695eef3fbca2c2cc4c372f57c78d88efda1414d2d8',X'7d2566c05102d671a5486424','2025-03-04T09:00:00Z',NULL);
INSERT INTO tenant_secret_versions VALUES ('sec_v_5Hmac2','sec_5Hmac',2,X'f2d01f34bdb2cbb680059f09',X'6caf4903820b306ad7471b28c09de1497330cd5857e3decfe1c3dfecab15253f7e7def4b05c93effe43431bdd0d876aa',
  X'e47d89a1877f823efec9dd2ca50dd1a787044acc0abd098cd0bf17b6e98b66efa22100d3bf4d97b53d28ba265f1dd2d9',X'a1c94c8c36915a38ccc60178','2025-03-05T09:00:00Z',NULL);

-- Revoked tenant-wide; the name is free.
INSERT INTO tenant_secrets VALUES ('sec_6Old','tnt_default',NULL,'OLD_KEY',NULL,'2025-03-06T09:00:00Z',NULL,'2025-03-07T09:00:00Z',NULL,1);
INSERT INTO tenant_secret_versions VALUES ('sec_v_6Old1','sec_6Old',1,X'7dcd6877da4f956233d5466a',X'8f3995fbad02621154b32cf5aebbfca1d8edaa19b199a5ece08823b3547614',
  X'ba54aa140683d0876e7e682a4084538aeb18439ddcf683075584557b8897cfb33495d928f013565663b712c968f64a3b',X'62912e207370824769c1ffa2','2025-03-06T09:00:00Z',NULL);

-- Another tenant; the empty text is the same scope as NULL.
INSERT INTO tenant_secrets VALUES ('sec_7Acme','tnt_9acme','','STRIPE_API_KEY',NULL,'2025-03-08T09:00:00Z','actor_bob',NULL,NULL,1);
INSERT INTO tenant_secret_versions VALUES ('sec_v_7Acme1','sec_7Acme',1,X'a12d9f48ab6ccb895a4c32f6',X'7047a4967f0adc6f2a93152c343278e7f062274fa1a2e5',
  X'7893ac1c72e5ba4eef14ef868fe39670ca93d2cd437cf88960406100cef2a99ea5083a97baf324e38668667e87495e57',X'9c6b54c50591d4ff9c179533','2025-03-08T09:00:00Z',NULL);
