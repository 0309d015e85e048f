-- The tables of a feed. Every statement may be run again: a change of schema is not a transaction on MariaDB and MySQL.
-- Times are milliseconds since 1970, UTC. Users, kinds and keys are compared byte by byte: Alice is not alice.

CREATE TABLE IF NOT EXISTS posts (
    id BIGINT NOT NULL AUTO_INCREMENT,
    author VARCHAR(64) NOT NULL,
    body MEDIUMTEXT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT (TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000),
    edited_at BIGINT NULL,
    deleted_at BIGINT NULL,
    idempotency_key VARBINARY(255) NULL,
    PRIMARY KEY (id),
    UNIQUE KEY posts_key (author, idempotency_key),
    KEY posts_author (author, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS events (
    id BIGINT NOT NULL AUTO_INCREMENT,
    kind VARCHAR(16) NOT NULL,
    author VARCHAR(64) NOT NULL,
    post BIGINT NULL,
    payload MEDIUMTEXT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT (TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000),
    PRIMARY KEY (id),
    KEY events_author (author, id),
    KEY events_created (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS friendships (
    viewer VARCHAR(64) NOT NULL,
    friend VARCHAR(64) NOT NULL,
    since BIGINT NOT NULL DEFAULT (TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000),
    PRIMARY KEY (viewer, friend),
    KEY friendships_friend (friend)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS markers (
    viewer VARCHAR(64) NOT NULL,
    post BIGINT NOT NULL,
    updated_at BIGINT NOT NULL DEFAULT (TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000),
    PRIMARY KEY (viewer)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS meta (
    name VARCHAR(32) NOT NULL,
    value VARCHAR(255) NOT NULL,
    PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
