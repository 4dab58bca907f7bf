-- How often the ops that a tenant pushed changed ('ops/' and its id): rules that are pinned to
-- none of their builds take them as they are now.
--
-- Not by ON CONFLICT: a statement that says OR REPLACE decides that for its triggers too.
CREATE TRIGGER txco_changes_op_added AFTER INSERT ON txco_op_builds BEGIN
    INSERT INTO txco_changes (what, number) SELECT 'ops/' || NEW.tenant_id, 0
        WHERE NOT EXISTS (SELECT 1 FROM txco_changes WHERE what = 'ops/' || NEW.tenant_id);
    UPDATE txco_changes SET number = number + 1 WHERE what = 'ops/' || NEW.tenant_id;
END;
CREATE TRIGGER txco_changes_op_changed AFTER UPDATE ON txco_op_builds BEGIN
    UPDATE txco_changes SET number = number + 1
        WHERE what IN ('ops/' || OLD.tenant_id, 'ops/' || NEW.tenant_id);
END;
CREATE TRIGGER txco_changes_op_removed AFTER DELETE ON txco_op_builds BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what = 'ops/' || OLD.tenant_id;
END;

-- INSERT OR REPLACE deletes what is in its way, and unless recursive_triggers is on (the Go
-- chassis leaves it off) no trigger sees that. Before the insert the row in the way is still there.
CREATE TRIGGER txco_changes_stack_replaced BEFORE INSERT ON stacks BEGIN
    UPDATE txco_changes SET number = number + 1 WHERE what IN
        (SELECT tenant_id FROM stacks WHERE active_version IS NOT NULL
         AND (stack_id = NEW.stack_id OR (tenant_id = NEW.tenant_id AND name = NEW.name)));
END;
