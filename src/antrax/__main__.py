"""`python -m antrax`."""

from antrax.cli.main import main

main()
