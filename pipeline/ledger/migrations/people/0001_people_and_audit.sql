-- Who may do what at the console, and what was done. A file of its own: a ledger that is moved away or recovered takes
-- neither with it.

-- People are never deleted, only put out of use: what they did keeps its name.
CREATE TABLE users (
    name        TEXT PRIMARY KEY COLLATE NOCASE CHECK (length(name) BETWEEN 1 AND 64),
    role        TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'quality', 'maintenance', 'admin')),
    password    TEXT    NOT NULL,      -- Argon2id in PHC form, never the password; '' for one who comes by a proxy alone
    must_change INTEGER NOT NULL CHECK (must_change IN (0, 1)),
    active      INTEGER NOT NULL CHECK (active IN (0, 1)),
    since_us    INTEGER NOT NULL       -- µs since 1970-01-01 UTC
) STRICT, WITHOUT ROWID;
CREATE TRIGGER users_are_kept BEFORE DELETE ON users
BEGIN SELECT raise(ABORT, 'people are put out of use, not deleted'); END;

-- Only the digest of a session's or token's secret is here: who reads this file cannot log in by it.
CREATE TABLE sessions (
    digest   TEXT PRIMARY KEY CHECK (length(digest) = 64),
    user     TEXT    NOT NULL COLLATE NOCASE REFERENCES users (name),
    begun_us INTEGER NOT NULL,
    used_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    digest   TEXT PRIMARY KEY CHECK (length(digest) = 64),
    name     TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    role     TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'quality', 'maintenance', 'admin')),
    by       TEXT    NOT NULL,
    made_us  INTEGER NOT NULL,
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was done, in order. `entry` is what is hashed, byte for byte; the columns beside it are for searching, and
-- checked against it. `hash` is the SHA-256 of the previous row's hash, a line feed and `entry`.
CREATE TABLE audit (
    n     INTEGER PRIMARY KEY CHECK (n >= 1),
    at_us INTEGER NOT NULL,
    who   TEXT    NOT NULL,
    what  TEXT    NOT NULL,
    entry TEXT    NOT NULL,
    hash  TEXT    NOT NULL CHECK (length(hash) = 64)
) STRICT;
CREATE INDEX audit_by_who  ON audit (who, n);
CREATE INDEX audit_by_what ON audit (what, n);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'what was done is not rewritten'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'what was done is not deleted'); END;
