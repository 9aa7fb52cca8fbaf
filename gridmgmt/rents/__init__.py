"""Guidance rents 房屋租赁指导租金 and the rental price index 租金价格指数.

The way of a number: `observations` (which leases count), `statistics` (their sums), `extracts` and `samples` (what a computation reads),
`catalogue` (methods by name), `district` and `guides` (all areas at once), `figures` (what of it may be told), `computing` and `composing`
(runs), `runs` and `releases` (stored, reviewed, published), `published` (read by everybody), `repeating` (the same digits again). The
arithmetic itself is in `methods`.
"""
