"""Speed and quality, each a command: `python -m benchmarks.<name> --json FILE` prints tables, then one line of JSON."""
