-- Models by the digest of their file. `state`, `since_us`, `by` and `why` say where its changes have led so far; they
-- are written together with the change.
CREATE TABLE models (
    digest   TEXT PRIMARY KEY CHECK (length(digest) = 64 AND digest NOT GLOB '*[^0-9a-f]*'),
    name     TEXT    NOT NULL,         -- as its card said when it was first seen
    family   TEXT,                     -- how its output is read: 'detector', …
    about    TEXT,                     -- where it comes from, as its card says
    state    TEXT    NOT NULL CHECK (state IN ('draft', 'shadow', 'approved', 'live', 'retired')),
    since_us INTEGER NOT NULL,         -- µs since 1970-01-01 UTC
    by       TEXT    NOT NULL,
    why      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Who judges what. The key is the promise: one model of a name in a recipe, never two.
CREATE TABLE live_models (
    recipe TEXT NOT NULL,
    name   TEXT NOT NULL,
    digest TEXT NOT NULL REFERENCES models (digest),
    PRIMARY KEY (recipe, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX live_models_by_digest ON live_models (digest);

-- What happened to models, in order. Rows are only ever added.
CREATE TABLE model_changes (
    id         INTEGER PRIMARY KEY,
    digest     TEXT    NOT NULL REFERENCES models (digest),
    at_us      INTEGER NOT NULL,
    from_state TEXT    CHECK (from_state IN ('draft', 'shadow', 'approved', 'live', 'retired')),  -- none: first seen
    to_state   TEXT    NOT NULL CHECK (to_state IN ('draft', 'shadow', 'approved', 'live', 'retired')),
    by         TEXT    NOT NULL CHECK (by <> ''),
    why        TEXT    NOT NULL CHECK (why <> ''),
    name       TEXT    NOT NULL,       -- the model's name at that moment
    recipe     TEXT                    -- the one recipe it is about; none: the model as such
) STRICT;
CREATE INDEX model_changes_by_digest ON model_changes (digest);
CREATE TRIGGER model_changes_stay BEFORE UPDATE ON model_changes
BEGIN SELECT raise(ABORT, 'what happened to a model is not rewritten'); END;
CREATE TRIGGER model_changes_are_kept BEFORE DELETE ON model_changes
BEGIN SELECT raise(ABORT, 'what happened to a model is not deleted'); END;

-- One row a part that a shadow model looked at, or was to look at.
CREATE TABLE shadow (
    id           INTEGER PRIMARY KEY,
    part_id      INTEGER NOT NULL CHECK (part_id BETWEEN 1 AND 4294967295),
    triggered_us INTEGER NOT NULL,
    recipe       TEXT    NOT NULL,
    digest       TEXT    NOT NULL,
    machine      TEXT    NOT NULL CHECK (machine IN ('pass', 'fail', 'missed', 'late')),
    verdict      TEXT    NOT NULL CHECK (verdict IN ('pass', 'fail', 'missed', 'skipped')),
    agrees       INTEGER CHECK (agrees IN (0, 1)),  -- none: there is nothing to compare
    infer_us     INTEGER,
    json         TEXT    NOT NULL      -- plumb.shadow/1
) STRICT;
CREATE INDEX shadow_by_part     ON shadow (part_id);
CREATE INDEX shadow_by_model    ON shadow (digest);
CREATE INDEX shadow_disagreeing ON shadow (agrees) WHERE agrees = 0;

-- The account of each shadow, kept by the database itself: read in no time, however many rows there are, and still
-- true when old rows are cleared away.
CREATE TABLE shadow_tally (
    digest   TEXT    NOT NULL,
    machine  TEXT    NOT NULL,
    verdict  TEXT    NOT NULL,
    parts    INTEGER NOT NULL,
    first_us INTEGER NOT NULL,
    last_us  INTEGER NOT NULL,
    PRIMARY KEY (digest, machine, verdict)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER shadow_is_counted AFTER INSERT ON shadow
BEGIN
    INSERT INTO shadow_tally (digest, machine, verdict, parts, first_us, last_us)
    VALUES (new.digest, new.machine, new.verdict, 1, new.triggered_us, new.triggered_us)
    ON CONFLICT (digest, machine, verdict) DO UPDATE SET
        parts = parts + 1,
        first_us = min(first_us, excluded.first_us),
        last_us = max(last_us, excluded.last_us);
END;
