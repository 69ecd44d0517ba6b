-- Changes that one person proposes and another approves. What was proposed never changes; what became of it changes along
-- the one way: open, then approved, refused or withdrawn; an approved one goes live, or is open again where it could not.
CREATE TABLE proposals (
    n            INTEGER PRIMARY KEY,
    at_us        INTEGER NOT NULL,
    by           TEXT    NOT NULL COLLATE NOCASE CHECK (by <> ''),
    recipe       TEXT    NOT NULL,
    rule         TEXT    NOT NULL,
    key          TEXT    NOT NULL,     -- of the rule: 'max', 'score_min' …
    old          REAL    NOT NULL,
    new          REAL    NOT NULL,
    file_digest  TEXT    NOT NULL,     -- of the recipe's file as it was when this was proposed
    reason       TEXT    NOT NULL CHECK (reason <> ''),
    numbers      TEXT    NOT NULL,     -- what the station counted itself, as JSON
    state        TEXT    NOT NULL CHECK (state IN ('open', 'approved', 'live', 'refused', 'withdrawn')),
    decided_us   INTEGER,
    decided_by   TEXT COLLATE NOCASE,
    decided_why  TEXT,
    from_part    INTEGER,
    CHECK (state = 'open' OR decided_by IS NOT NULL),
    CHECK (state NOT IN ('approved', 'live') OR decided_by <> by)
) STRICT;
CREATE INDEX proposals_by_rule ON proposals (recipe, rule, n);
CREATE TRIGGER proposals_stay BEFORE UPDATE OF n, at_us, by, recipe, rule, key, old, new, file_digest, reason, numbers ON proposals
BEGIN SELECT raise(ABORT, 'what was proposed is not rewritten'); END;
CREATE TRIGGER proposals_are_settled BEFORE UPDATE ON proposals WHEN old.state IN ('live', 'refused', 'withdrawn')
BEGIN SELECT raise(ABORT, 'a settled proposal stays as it is'); END;
CREATE TRIGGER proposals_are_kept BEFORE DELETE ON proposals
BEGIN SELECT raise(ABORT, 'what was proposed is not deleted'); END;
