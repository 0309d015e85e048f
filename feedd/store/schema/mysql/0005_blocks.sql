-- Who has nothing to do with whom, and since when the tokens of a user count for nothing (milliseconds since 1970). Names compare byte by byte.

CREATE TABLE IF NOT EXISTS blocks (
    viewer VARCHAR(64) NOT NULL,
    author VARCHAR(64) NOT NULL,
    PRIMARY KEY (viewer, author)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

CREATE TABLE IF NOT EXISTS logouts (
    viewer VARCHAR(64) NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    KEY logouts_at (at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
