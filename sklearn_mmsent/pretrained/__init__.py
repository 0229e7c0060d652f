"""Loading of pretrained models: shared within a process, without executing foreign code."""
