"""From a classifier and blob images to a label for every tracklet."""
