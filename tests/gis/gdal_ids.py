"""Prints the ids that GDAL finds, as JSON: in a process of its own, because GDAL keeps the lock of Python while it waits for the server."""

import json
import sys

import pyogrio
from pyogrio import raw

source, layer, asked = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
if "bbox" in asked:
    asked["bbox"] = tuple(asked["bbox"])
if layer:
    meta, _, _, fields = raw.read(source, layer=layer, **asked)
    print(json.dumps([str(one) for one in fields[list(meta["fields"]).index("id")]]))
else:
    print(json.dumps([str(name) for name, _ in pyogrio.list_layers(source)]))
