"""
The log and the tables beside it, in a database: `feedd.store.sql.SQLStore` implements
`feedd.feed.ports.Store` on MariaDB, MySQL and SQLite.
"""
