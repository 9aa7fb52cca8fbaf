"""Prints what QGIS finds in a layer, as JSON: run by the system's Python, which Debian's python3-qgis is for."""

import json
import sys

from qgis.core import (  # pyright: ignore[reportMissingImports]  # a module of Debian's Python, not of ours
    QgsApplication,
    QgsFeatureRequest,
    QgsRectangle,
    QgsVectorLayer,
)

root, name, asked = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
qgis = QgsApplication([], False)
qgis.initQgis()
layer = QgsVectorLayer(f"url='{root}' typename='{name}'" + asked.get("more", ""), name, "OAPIF")
if not layer.isValid():
    sys.exit(f"{name} is no layer to QGIS: {layer.error().summary()}")
if "where" in asked and not layer.setSubsetString(asked["where"]):
    sys.exit(f"QGIS refuses the filter {asked['where']}")
request = QgsFeatureRequest()
if "box" in asked:
    request.setFilterRect(QgsRectangle(*asked["box"]))
found = list(layer.getFeatures(request))
print(
    json.dumps(
        {
            "features": [
                {name: value for name, value in one.attributeMap().items() if isinstance(value, str | int | float)} for one in found
            ],
            "drawn": sum(one.hasGeometry() for one in found),
            "columns": {one.name(): one.typeName() for one in layer.fields()},
        }
    )
)
