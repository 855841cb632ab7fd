"""`ligan weights`: which weights there are, and importing published ones."""
