-- What was deleted, by which rule and when. Rows are only ever added; one a rule and sweep.
CREATE TABLE deletions (
    id    INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,            -- µs since 1970-01-01 UTC
    rule  TEXT    NOT NULL CHECK (rule <> ''),  -- a key of [ledger.keep]
    why   TEXT    NOT NULL CHECK (why <> '')    -- the rule in words, as it was then
) STRICT;
CREATE TRIGGER deletions_stay BEFORE UPDATE ON deletions
BEGIN SELECT raise(ABORT, 'what was deleted is not rewritten'); END;
CREATE TRIGGER deletions_are_kept BEFORE DELETE ON deletions
BEGIN SELECT raise(ABORT, 'the account of what was deleted is not deleted'); END;

-- What is left of a record that was deleted.
CREATE TABLE deleted_records (
    part_id      INTEGER NOT NULL,
    triggered_us INTEGER NOT NULL,
    record       INTEGER NOT NULL,     -- row id it had in `records`
    verdict      TEXT    NOT NULL,
    deletion     INTEGER NOT NULL REFERENCES deletions (id),
    PRIMARY KEY (part_id, triggered_us, record)
) STRICT, WITHOUT ROWID;

-- A picture's entry outlives its file: digest and path stay, `deletion` says what became of it.
ALTER TABLE pictures ADD COLUMN bytes INTEGER;  -- of the file; none: written before this was noted
ALTER TABLE pictures ADD COLUMN deletion INTEGER REFERENCES deletions (id);
CREATE INDEX pictures_on_disk ON pictures (triggered_us, bytes) WHERE path IS NOT NULL AND deletion IS NULL;

-- Parts that no rule may delete. Rows are only ever added; of several the last counts.
CREATE TABLE pins (
    id           INTEGER PRIMARY KEY,
    part_id      INTEGER NOT NULL,
    triggered_us INTEGER NOT NULL,
    pinned       INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    at_us        INTEGER NOT NULL,
    by           TEXT    NOT NULL CHECK (by <> ''),
    why          TEXT    NOT NULL CHECK (why <> '')
) STRICT;
CREATE INDEX pins_by_part ON pins (part_id, triggered_us);
CREATE TRIGGER pins_stay BEFORE UPDATE ON pins
BEGIN SELECT raise(ABORT, 'what was pinned is not rewritten'); END;
CREATE TRIGGER pins_are_kept BEFORE DELETE ON pins
BEGIN SELECT raise(ABORT, 'what was pinned is not deleted'); END;

-- Backups that came to their end.
CREATE TABLE backups (
    id       INTEGER PRIMARY KEY,
    at_us    INTEGER NOT NULL,         -- of the copy: what was written later is not in it
    folder   TEXT    NOT NULL,
    records  INTEGER NOT NULL,
    pictures INTEGER NOT NULL
) STRICT;
