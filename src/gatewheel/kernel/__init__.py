"""Floor 0: nouns, ports, catalog, configuration, errors, store, runs and traces. Never imports torch."""
