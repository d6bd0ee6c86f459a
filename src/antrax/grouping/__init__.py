"""Groups of tracklets that look alike, found without any label."""
