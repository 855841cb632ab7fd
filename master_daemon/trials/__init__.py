"""Trials: developers' test jobs. What is asked for, what becomes of it, its log and its files."""
