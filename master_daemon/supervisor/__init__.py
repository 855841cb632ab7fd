"""Desired state against observed state: pure transitions, and one loop that carries them out."""
