"""Who trains: this process, processes of this machine, or the workers of dask and Ray."""
