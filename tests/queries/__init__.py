"""What the read models answer."""
