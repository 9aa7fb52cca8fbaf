"""Verbs of the register, one file a noun."""
