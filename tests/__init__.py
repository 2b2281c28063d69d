"""The tests mirror src; beside that: what crosses it (architecture, system) and servers."""
