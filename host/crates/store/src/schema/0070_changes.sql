-- How often changed what a running chassis keeps in memory: the rules of each tenant (by its id),
-- which tenants and hosts there are ('hosts'), and what tenants may have ('terms').
--
-- Triggers count, and not the code that writes: another chassis, the Go chassis and an
-- operator's SQL count too. Nothing that a request writes is among them.
CREATE TABLE txco_changes (
    what   TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO txco_changes (what, number)
    SELECT tenant_id, 0 FROM tenants UNION SELECT 'hosts', 0 UNION SELECT 'terms', 0;

CREATE TRIGGER txco_changes_tenant_added AFTER INSERT ON tenants BEGIN
    INSERT INTO txco_changes (what, number)
        SELECT NEW.tenant_id, 0 WHERE NOT EXISTS (SELECT 1 FROM txco_changes WHERE what = NEW.tenant_id);
    UPDATE txco_changes SET number = number + 1 WHERE what = 'hosts';
END;
CREATE TRIGGER txco_changes_tenant_changed AFTER UPDATE ON tenants BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'hosts';
END;
CREATE TRIGGER txco_changes_tenant_removed AFTER DELETE ON tenants BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'hosts';
END;

CREATE TRIGGER txco_changes_host_added AFTER INSERT ON tenant_hostnames BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'hosts';
END;
CREATE TRIGGER txco_changes_host_changed AFTER UPDATE ON tenant_hostnames BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'hosts';
END;
CREATE TRIGGER txco_changes_host_removed AFTER DELETE ON tenant_hostnames BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'hosts';
END;

CREATE TRIGGER txco_changes_terms_added AFTER INSERT ON tenant_runtime_state BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'terms';
END;
CREATE TRIGGER txco_changes_terms_changed AFTER UPDATE ON tenant_runtime_state BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'terms';
END;
CREATE TRIGGER txco_changes_terms_removed AFTER DELETE ON tenant_runtime_state BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'terms';
END;

CREATE TRIGGER txco_changes_stack_activated AFTER UPDATE OF active_version ON stacks BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = NEW.tenant_id;
END;
CREATE TRIGGER txco_changes_stack_added AFTER INSERT ON stacks WHEN NEW.active_version IS NOT NULL BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = NEW.tenant_id;
END;
CREATE TRIGGER txco_changes_stack_removed AFTER DELETE ON stacks WHEN OLD.active_version IS NOT NULL BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = OLD.tenant_id;
END;

-- What only the Go chassis activated stands here.
CREATE TRIGGER txco_changes_rule_added AFTER INSERT ON ops BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = NEW.tenant_id;
END;
CREATE TRIGGER txco_changes_rule_changed AFTER UPDATE ON ops BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what IN (OLD.tenant_id, NEW.tenant_id);
END;
CREATE TRIGGER txco_changes_rule_removed AFTER DELETE ON ops BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = OLD.tenant_id;
END;
