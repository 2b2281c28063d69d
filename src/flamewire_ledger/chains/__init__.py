"""What happens on chains, seen through one Protocol; importing this package imports no chain's library."""
