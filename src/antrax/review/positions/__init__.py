"""Validation of positions: cells drawn at random, marks on them, and corrections that are solved at once."""
