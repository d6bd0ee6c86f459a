"""Which tracklets there are, what is known of them, and in what order they are shown."""
