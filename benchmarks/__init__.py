"""Programs that measure, side by side in one run, against a floor or a peer. Ratios hold; single figures drift. DESIGN §6."""
