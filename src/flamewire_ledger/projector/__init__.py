"""Runs what the folders in projections/ define: events in, rows of read models out."""
