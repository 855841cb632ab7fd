"""Weights of the StyleGAN2 family that others have published, read without executing anything of their files."""
