"""Geometry, reference systems and files of any register of places; knows nothing of leases and nothing of HTTP."""
