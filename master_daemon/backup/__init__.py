"""`ligan backup` and `ligan restore`: a whole installation in one file, saved while the daemon runs."""
