"""Files of an experiment: the only code that knows their paths and bytes."""
