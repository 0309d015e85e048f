-- Who has nothing to do with whom, and since when the tokens of a user count for nothing (milliseconds since 1970).

CREATE TABLE IF NOT EXISTS blocks (
    viewer TEXT NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (viewer, author)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS logouts (
    viewer TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS logouts_at ON logouts (at);
