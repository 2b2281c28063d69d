"""The benchmarks, small: their figures mean nothing here, that they come about does."""
