"""What the ledger decides: pure functions over facts. No clock, no IO, only Python itself."""
