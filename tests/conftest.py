"""Puts this folder on the path, so that every room's tests can import documents.py, which makes real files."""
