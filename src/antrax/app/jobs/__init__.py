"""Training and classification in a process of their own."""
