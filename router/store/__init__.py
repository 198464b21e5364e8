"""Where the router remembers: SQLAlchemy Core on SQLite or PostgreSQL. One transaction is one commit."""
