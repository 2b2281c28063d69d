"""Take a command, fetch what deciding needs, append what follows."""
