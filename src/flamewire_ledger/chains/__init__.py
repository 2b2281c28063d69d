"""What happens on chains, through one Protocol. Importing it imports no chain's library."""
