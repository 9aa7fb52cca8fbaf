"""The synthetic district (演示数据): real names and codes of areas, and nothing else that is real."""
