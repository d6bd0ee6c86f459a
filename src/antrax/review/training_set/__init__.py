"""The training set as people edit it."""
