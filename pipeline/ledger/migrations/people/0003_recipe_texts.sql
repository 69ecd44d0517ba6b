-- A whole recipe can be proposed too: `text` is then its file's text to be, and the columns of a threshold are empty.
ALTER TABLE proposals ADD COLUMN text TEXT CHECK (text IS NULL OR (rule = '' AND key = ''));
CREATE TRIGGER proposals_keep_their_text BEFORE UPDATE OF text ON proposals
BEGIN SELECT raise(ABORT, 'what was proposed is not rewritten'); END;

-- Every text that a recipe's file was seen with, in order: to compare with, and to go back to.
CREATE TABLE recipe_versions (
    n      INTEGER PRIMARY KEY CHECK (n >= 1),
    recipe TEXT    NOT NULL,
    digest TEXT    NOT NULL CHECK (length(digest) = 64),   -- SHA-256 of `text`, hex
    text   TEXT    NOT NULL,
    at_us  INTEGER NOT NULL,
    by     TEXT    NOT NULL,                               -- '': found on disk, nobody said who wrote it
    why    TEXT    NOT NULL
) STRICT;
CREATE INDEX recipe_versions_by_recipe ON recipe_versions (recipe, n);
CREATE TRIGGER recipe_versions_stay BEFORE UPDATE ON recipe_versions
BEGIN SELECT raise(ABORT, 'what a recipe was is not rewritten'); END;
CREATE TRIGGER recipe_versions_are_kept BEFORE DELETE ON recipe_versions
BEGIN SELECT raise(ABORT, 'what a recipe was is not deleted'); END;
