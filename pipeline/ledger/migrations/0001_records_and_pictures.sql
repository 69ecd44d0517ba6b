-- One row a part answered, in the order of answering. The columns are what people look for; `json` is the record.
CREATE TABLE records (
    id           INTEGER PRIMARY KEY,  -- not the part id: a PLC that numbers parts may give one twice
    part_id      INTEGER NOT NULL CHECK (part_id BETWEEN 1 AND 4294967295),
    serial       TEXT,
    triggered_us INTEGER NOT NULL,     -- µs since 1970-01-01 UTC
    verdict      TEXT    NOT NULL CHECK (verdict IN ('pass', 'fail', 'missed', 'late')),
    json         TEXT    NOT NULL      -- plumb.record/1 without its pictures
) STRICT;
CREATE INDEX records_by_part    ON records (part_id);
CREATE INDEX records_by_serial  ON records (serial) WHERE serial IS NOT NULL;
CREATE INDEX records_by_time    ON records (triggered_us);
CREATE INDEX records_by_verdict ON records (verdict, triggered_us);

-- Pictures that are on disk, and those that should be and are not. They may come before their record or after it.
CREATE TABLE pictures (
    id           INTEGER PRIMARY KEY,
    part_id      INTEGER NOT NULL,
    triggered_us INTEGER NOT NULL,
    camera       TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    path         TEXT,                 -- below the ledger's folder
    sha256       TEXT,                 -- of the file, hex
    missing      TEXT,                 -- why there is none
    CHECK ((path IS NULL) = (sha256 IS NULL) AND (path IS NULL) <> (missing IS NULL))
) STRICT;
CREATE INDEX pictures_by_part ON pictures (part_id, triggered_us);

-- Part ids below `ceiling` may have been given out. One row.
CREATE TABLE numbers (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    ceiling  INTEGER NOT NULL CHECK (ceiling >= 1)
) STRICT;
INSERT INTO numbers (only_row, ceiling) VALUES (1, 1);
