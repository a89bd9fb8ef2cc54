"""What `gatewheel init` writes. The wheel carries the documentation here as docs/."""
