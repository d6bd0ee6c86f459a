"""Editing of the training set."""
