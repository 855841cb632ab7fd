"""Which fillers should not be in a lineup? A screen for what a program can see, and no measure of fairness."""
