"""What scripts/bench measures with: that it counts and compares truthfully."""
