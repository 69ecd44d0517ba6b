-- A piece is one physical thing, however often it was looked at: its serial number, or the one inspection of a part
-- that has none. Which set it belongs to is settled once: thresholds are chosen on 'tune' and proved on 'certify', and a
-- piece that has helped to choose can never help to prove.
CREATE TABLE pieces (
    piece    TEXT PRIMARY KEY,
    part_set TEXT    NOT NULL CHECK (part_set IN ('tune', 'certify')),
    since_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER pieces_stay BEFORE UPDATE ON pieces
BEGIN SELECT raise(ABORT, 'a piece does not change its set'); END;
CREATE TRIGGER pieces_are_kept BEFORE DELETE ON pieces
BEGIN SELECT raise(ABORT, 'a piece does not leave its set'); END;

-- What people say parts really were. The machine's verdict stays what it was; of several words the last counts. Rows are
-- only ever added.
CREATE TABLE truths (
    id           INTEGER PRIMARY KEY,
    part_id      INTEGER NOT NULL,
    triggered_us INTEGER NOT NULL,
    piece        TEXT    NOT NULL REFERENCES pieces (piece),
    recipe       TEXT    NOT NULL,
    truth        TEXT    NOT NULL CHECK (truth IN ('good', 'defective')),
    at_us        INTEGER NOT NULL,
    by           TEXT    NOT NULL CHECK (by <> ''),
    why          TEXT    NOT NULL      -- '' where nothing was said
) STRICT;
CREATE INDEX truths_by_part   ON truths (part_id, triggered_us);
CREATE INDEX truths_by_recipe ON truths (recipe);
CREATE TRIGGER truths_stay BEFORE UPDATE ON truths
BEGIN SELECT raise(ABORT, 'what was said of a part is not rewritten'); END;
CREATE TRIGGER truths_are_kept BEFORE DELETE ON truths
BEGIN SELECT raise(ABORT, 'what was said of a part is not deleted'); END;
