"""One reader per format: a file to documents as text."""
