-- Whether its run waits for it now; a deferred join is waited for at a later scope.
ALTER TABLE txco_waits ADD COLUMN awaited INTEGER NOT NULL DEFAULT 1;
