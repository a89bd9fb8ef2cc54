"""Formats that cases are imported from, one a file. Each gives rows with the place where they stand."""
