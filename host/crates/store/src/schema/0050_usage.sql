-- What each tenant keeps, so that a quota costs one lookup however many secrets there are.
--
-- Triggers count, and not the code that writes: an operator's SQL (runbook §6) and the Go
-- chassis count too. Where they cannot (a parent row that is deleted before its versions,
-- INSERT OR REPLACE without recursive triggers) the numbers come out too high, never too
-- low; before anything is refused they are counted anew.
CREATE TABLE txco_usage (
    tenant_id TEXT PRIMARY KEY,
    secrets   INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO txco_usage (tenant_id, secrets, bytes)
    SELECT s.tenant_id,
           (SELECT COUNT(*) FROM tenant_secrets a WHERE a.tenant_id = s.tenant_id AND a.revoked_at IS NULL),
           COALESCE(SUM((SELECT SUM(length(v.ciphertext)) FROM tenant_secret_versions v
                         WHERE v.secret_id = s.secret_id)), 0)
    FROM tenant_secrets s GROUP BY s.tenant_id;

CREATE TRIGGER txco_usage_secret_added AFTER INSERT ON tenant_secrets BEGIN
    INSERT INTO txco_usage (tenant_id, secrets, bytes) SELECT NEW.tenant_id, 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM txco_usage WHERE tenant_id = NEW.tenant_id);
    UPDATE txco_usage SET secrets = secrets + (NEW.revoked_at IS NULL) WHERE tenant_id = NEW.tenant_id;
END;

CREATE TRIGGER txco_usage_secret_revoked AFTER UPDATE OF revoked_at ON tenant_secrets BEGIN
    UPDATE txco_usage SET secrets = secrets + (NEW.revoked_at IS NULL) - (OLD.revoked_at IS NULL)
        WHERE tenant_id = NEW.tenant_id;
END;

CREATE TRIGGER txco_usage_secret_removed AFTER DELETE ON tenant_secrets BEGIN
    UPDATE txco_usage SET secrets = secrets - (OLD.revoked_at IS NULL) WHERE tenant_id = OLD.tenant_id;
END;

CREATE TRIGGER txco_usage_version_added AFTER INSERT ON tenant_secret_versions BEGIN
    UPDATE txco_usage SET bytes = bytes + length(NEW.ciphertext)
        WHERE tenant_id = (SELECT tenant_id FROM tenant_secrets WHERE secret_id = NEW.secret_id);
END;

CREATE TRIGGER txco_usage_version_changed AFTER UPDATE OF ciphertext ON tenant_secret_versions BEGIN
    UPDATE txco_usage SET bytes = bytes + length(NEW.ciphertext) - length(OLD.ciphertext)
        WHERE tenant_id = (SELECT tenant_id FROM tenant_secrets WHERE secret_id = NEW.secret_id);
END;

CREATE TRIGGER txco_usage_version_removed AFTER DELETE ON tenant_secret_versions BEGIN
    UPDATE txco_usage SET bytes = bytes - length(OLD.ciphertext)
        WHERE tenant_id = (SELECT tenant_id FROM tenant_secrets WHERE secret_id = OLD.secret_id);
END;
