"""OGC API - Features for GIS clients: landing page, conformance, collections, items.

Parameters are refused by 400, whatever is wrong with them, and none is ignored. Anonymous callers see the public layers; the others
are not there for them.
"""
