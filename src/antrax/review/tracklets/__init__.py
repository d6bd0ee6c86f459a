"""Lists of tracklets, their results, and the order in which they are shown."""
