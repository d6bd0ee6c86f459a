"""`python -m antrax`."""

from antrax.cli import main

main()
