"""Offline: Numba over whole arrays. Never imported by the live path, and never a second copy of a feature."""
