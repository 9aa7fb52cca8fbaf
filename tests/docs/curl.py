"""What the guides need of curl, for machines without it: `curl -s [-G] [-H HEADER] [-u USER:KEY] [--data-urlencode NAME=VALUE] URL`."""

import argparse
import base64
import sys
import urllib.parse
import urllib.request

words = argparse.ArgumentParser()
words.add_argument("-s", action="store_true")
words.add_argument("-G", action="store_true")
words.add_argument("-H", dest="headers", action="append", default=[])
words.add_argument("-u", dest="user")
words.add_argument("--data-urlencode", dest="data", action="append", default=[])
words.add_argument("url")
given = words.parse_args()
headers = dict(header.split(": ", 1) for header in given.headers)
if given.user:
    headers["Authorization"] = "Basic " + base64.b64encode(given.user.encode()).decode()
query = urllib.parse.urlencode([tuple(one.split("=", 1)) for one in given.data])
address = f"{given.url}?{query}" if query else given.url
with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as response:
    sys.stdout.buffer.write(response.read())
