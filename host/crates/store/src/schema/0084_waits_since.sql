-- Since when a run waits at this step; unknown of those that began to wait before this column.
ALTER TABLE txco_runs ADD COLUMN waits_since INTEGER;
