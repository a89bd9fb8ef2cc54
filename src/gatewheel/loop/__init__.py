"""The only place where rooms meet: compose the parts, ingest, search, ask."""
