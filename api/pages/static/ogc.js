// The features of a page on a map. They stand in the page itself; without this script the table says the same.
import { LngLatBounds, Map as MapLibre, NavigationControl, ScaleControl } from "./maplibre/maplibre-gl.mjs";

const container = document.getElementById("map");
const features = JSON.parse(document.getElementById("features").textContent);

const bounds = new LngLatBounds();
const reach = (part) => (typeof part[0] === "number" ? bounds.extend(part.slice(0, 2)) : part.forEach(reach));
for (const feature of features.features) if (feature.geometry) reach(feature.geometry.coordinates);

const map = new MapLibre({
  container,
  style: {
    version: 8,
    sources: { features: { type: "geojson", data: features } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": "#f4f1ea" } },
      { id: "fill", type: "fill", source: "features", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": "#2b5c8a", "fill-opacity": 0.18 } },
      { id: "line", type: "line", source: "features", filter: ["==", ["geometry-type"], "Polygon"], paint: { "line-color": "#2b5c8a", "line-width": 1.5 } },
      { id: "point", type: "circle", source: "features", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-color": "#8a3b2b", "circle-radius": 5 } },
    ],
  },
  ...(bounds.isEmpty() ? {} : { bounds, fitBoundsOptions: { padding: 30, maxZoom: 18 } }),
  attributionControl: false,
});
map.addControl(new NavigationControl(), "top-right");
map.addControl(new ScaleControl(), "bottom-right");
map.once("idle", () => { document.body.dataset.ready = "map"; });
