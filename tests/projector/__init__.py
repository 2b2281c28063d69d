"""How events become rows, whatever goes wrong in between."""
