-- Names compare byte by byte, to the last one: 'alice ' is not 'alice'. A collation that pads, as utf8mb4_bin does, takes them for the same.
-- MariaDB and MySQL have collations of different names for that; each reads the comment that is for it.

ALTER TABLE posts CONVERT TO CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

ALTER TABLE events CONVERT TO CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

ALTER TABLE friendships CONVERT TO CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

ALTER TABLE markers CONVERT TO CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
