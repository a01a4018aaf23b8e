"""Tasks, facts and pool of `python -m benchmarks.language`."""
