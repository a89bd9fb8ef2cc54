"""The project's database: SQLAlchemy 2 on SQLite (WAL) or PostgreSQL, migrated by Alembic."""
