"""From a training set to a classifier."""
