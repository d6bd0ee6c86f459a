"""Work on a cluster: scripts for SLURM, and the progress of the work on an experiment."""
