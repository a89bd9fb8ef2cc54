"""A question to located passages: BM25, dense, hybrid."""
