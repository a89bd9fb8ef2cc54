"""Encoders, and the store and index of passages with their vectors."""
