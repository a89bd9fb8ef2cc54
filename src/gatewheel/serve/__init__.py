"""The project as a service: an OpenAI-compatible endpoint, Gatewheel's own API, and the studio."""
