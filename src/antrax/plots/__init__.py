"""Figures of positions: trails, presence, distances and occupancy, contacts."""
