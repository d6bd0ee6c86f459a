"""The commands, a module each; every one calls one function of the package and shows its result."""
