"""What several benchmarks share: data sets, features, reports, processes, the command line."""
