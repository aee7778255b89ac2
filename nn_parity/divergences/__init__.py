"""What diverges: one row for each divergence, with inputs; no framework in sight."""
