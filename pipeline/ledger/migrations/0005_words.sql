-- Besides good and defective a person may be unsure, or take a word back: both are words like the others, and of several
-- the last counts. `class` is the defect that was seen, '' where none was named.
CREATE TABLE words (
    id           INTEGER PRIMARY KEY,
    part_id      INTEGER NOT NULL,
    triggered_us INTEGER NOT NULL,
    piece        TEXT    NOT NULL REFERENCES pieces (piece),
    recipe       TEXT    NOT NULL,
    truth        TEXT    NOT NULL CHECK (truth IN ('good', 'defective', 'unsure', 'withdrawn')),
    at_us        INTEGER NOT NULL,
    by           TEXT    NOT NULL CHECK (by <> ''),
    why          TEXT    NOT NULL,
    class        TEXT    NOT NULL DEFAULT ''
) STRICT;
INSERT INTO words (id, part_id, triggered_us, piece, recipe, truth, at_us, by, why)
    SELECT id, part_id, triggered_us, piece, recipe, truth, at_us, by, why FROM truths;
DROP TABLE truths;
ALTER TABLE words RENAME TO truths;
CREATE INDEX truths_by_part   ON truths (part_id, triggered_us);
CREATE INDEX truths_by_recipe ON truths (recipe);
CREATE INDEX truths_by_time   ON truths (triggered_us, part_id);
CREATE TRIGGER truths_stay BEFORE UPDATE ON truths
BEGIN SELECT raise(ABORT, 'what was said of a part is not rewritten'); END;
CREATE TRIGGER truths_are_kept BEFORE DELETE ON truths
BEGIN SELECT raise(ABORT, 'what was said of a part is not deleted'); END;
