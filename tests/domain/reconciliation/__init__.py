"""Tests of reconciliation: the matching, and what is recorded of it."""
