"""Curves: the arithmetic of libraries, behind the checks that make their verdicts the same."""
