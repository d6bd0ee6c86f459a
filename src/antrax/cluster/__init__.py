"""Work given to a cluster: scripts for SLURM, and how far the work on an experiment is."""
