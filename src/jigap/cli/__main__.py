"""`python -m jigap.cli` is `jigap`."""

from jigap.cli import main

main()
