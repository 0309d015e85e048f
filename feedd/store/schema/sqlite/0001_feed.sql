-- The tables of a feed. Times are milliseconds since 1970, UTC. AUTOINCREMENT: an id is never given out twice.

CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    author TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)),
    edited_at INTEGER NULL,
    deleted_at INTEGER NULL,
    idempotency_key TEXT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS posts_key ON posts (author, idempotency_key);

CREATE INDEX IF NOT EXISTS posts_author ON posts (author, id);

CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    author TEXT NOT NULL,
    post INTEGER NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER))
);

CREATE INDEX IF NOT EXISTS events_author ON events (author, id);

CREATE INDEX IF NOT EXISTS events_created ON events (created_at);

CREATE TABLE IF NOT EXISTS friendships (
    viewer TEXT NOT NULL,
    friend TEXT NOT NULL,
    since INTEGER NOT NULL DEFAULT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)),
    PRIMARY KEY (viewer, friend)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS friendships_friend ON friendships (friend);

CREATE TABLE IF NOT EXISTS markers (
    viewer TEXT NOT NULL PRIMARY KEY,
    post INTEGER NOT NULL,
    updated_at INTEGER NOT NULL DEFAULT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER))
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
