-- Whether activating rules of this tenant that name a new secret takes a capability for that secret.
ALTER TABLE tenant_runtime_state ADD COLUMN explicit_secrets_use INTEGER NOT NULL DEFAULT 0;
