"""The whole ledger from outside: as a user starts it, pays, kills and proves it."""
