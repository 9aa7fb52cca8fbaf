// A style on a map. It stands in the page itself; its tiles are asked for as the page was.
import { Map as MapLibre, NavigationControl, ScaleControl } from "./maplibre/maplibre-gl.mjs";

const style = JSON.parse(document.getElementById("style").textContent);
const map = new MapLibre({ container: "map", style, attributionControl: false });
map.addControl(new NavigationControl(), "top-right");
map.addControl(new ScaleControl(), "bottom-right");
map.once("idle", () => { document.body.dataset.ready = "map"; });
