"""The benchmark suite: `benchmarks/run` is its command."""
