"""Files of an experiment: paths, reading and writing. No other package does this."""
