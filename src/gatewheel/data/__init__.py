"""Cases, suites and splits: what a variant is trained on, and what it is judged by."""
