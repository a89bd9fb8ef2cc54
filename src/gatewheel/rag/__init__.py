"""Read, chunk and ingest documents; build context; answer with citations or abstain."""
