"""How prices are worked out: pure rules over exact numbers."""
