"""Alembic's scripts. `HEAD` in store/database.py names the newest."""
