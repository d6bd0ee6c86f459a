"""From labels and the graph of tracklets to who was where."""
