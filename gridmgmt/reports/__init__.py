"""Reports: what the office hands out on paper and as sheets, made from what was published. One report a file."""
