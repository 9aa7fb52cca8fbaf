// A style on a map. It stands in the page itself; its tiles are asked for as the page was.
import { Map as MapLibre, NavigationControl, ScaleControl } from "./maplibre/maplibre-gl.mjs";

const style = JSON.parse(document.getElementById("style").textContent);
const container = document.getElementById("map");
const room = Math.log2(Math.min(container.clientWidth, container.clientHeight) / 540); // the style's zoom is for a map of 512 pixels
const map = new MapLibre({ container, style, attributionControl: false, ...(style.center ? { center: style.center, zoom: style.zoom + room } : {}) });
map.addControl(new NavigationControl(), "top-right");
map.addControl(new ScaleControl(), "bottom-right");
map.once("idle", () => { document.body.dataset.ready = "map"; });
