"""One chunker per strategy: a text to spans."""
