"""Background jobs: training and classification, each in a process of its own."""
