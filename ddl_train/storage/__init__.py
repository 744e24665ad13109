"""What is on disk: the run directory, its database, its adapters."""
