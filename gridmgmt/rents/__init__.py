"""Guidance rents 房屋租赁指导租金 and the rental price index 租金价格指数."""
