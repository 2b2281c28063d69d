"""HTTP in, HTTP out; no rules. contract.py is the table of everything that can be asked."""
