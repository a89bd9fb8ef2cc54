"""Versioned prompt files: front matter and a sandboxed template."""
