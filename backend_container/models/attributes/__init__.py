"""What does the face look like? Attributes by name, with their probabilities, and a style embedding."""
