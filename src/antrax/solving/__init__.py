"""Solving: from labels and the graph of tracklets to the identity of animals in every tracklet."""
