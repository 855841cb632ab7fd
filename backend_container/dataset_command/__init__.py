"""`ligan dataset build` and `ligan dataset info`. Importing it loads nothing heavy; each deed does for itself."""
