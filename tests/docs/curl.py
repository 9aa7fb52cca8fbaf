"""What the README's requests need of curl, for machines without it: `curl -s [-H HEADER] [-u USER:PASSWORD] URL`."""

import argparse
import base64
import sys
import urllib.request

words = argparse.ArgumentParser()
words.add_argument("-s", action="store_true")
words.add_argument("-H", dest="headers", action="append", default=[])
words.add_argument("-u", dest="user")
words.add_argument("url")
given = words.parse_args()
headers = dict(header.split(": ", 1) for header in given.headers)
if given.user:
    headers["Authorization"] = "Basic " + base64.b64encode(given.user.encode()).decode()
with urllib.request.urlopen(urllib.request.Request(given.url, headers=headers), timeout=20) as response:
    sys.stdout.buffer.write(response.read())
