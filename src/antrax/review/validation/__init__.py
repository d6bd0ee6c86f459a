"""Validation: marks on labels, and the error rates that follow."""
