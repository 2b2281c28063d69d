"""What things cost: feeds behind one Protocol, and how their quotes become one price."""
