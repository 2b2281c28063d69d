"""The tests: they mirror src, and beside that hold what crosses it: architecture, system, services."""
