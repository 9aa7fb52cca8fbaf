"""Reference client of the handhelds' synchronisation: standard library, SQLite, and `cryptography` for the device key.

Small enough to read in an hour and to port to a terminal. docs/handheld.md tells the rules that it follows, in the same order.
"""
