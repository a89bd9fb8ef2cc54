"""`python -m gatewheel` is the same as the command `gatewheel`."""

from gatewheel.cli.main import main

main()
