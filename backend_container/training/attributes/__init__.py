"""Training of attribute networks (thesis, sections 3.3.2 and 3.3.3)."""
