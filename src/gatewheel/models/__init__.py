"""Floor 1: chat models behind one port, the local engines, and the catalogue of cost, speed and licence."""
