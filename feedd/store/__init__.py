"""
All that knows SQL: the tables, their migrations, the queries, and the tail that reads the new end
of the log.

`feedd.store.sql.SQLStore` implements `feedd.feed.ports.Store` on MariaDB, MySQL and SQLite. Nothing
here knows who asks or why.
"""
