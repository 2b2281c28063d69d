"""A payment: every way money can arrive, and go again."""
