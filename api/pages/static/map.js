// The map of the district. The token lives in this variable and nowhere else: closing the page logs out.
import { Map as MapLibre, NavigationControl, Popup, ScaleControl } from "./maplibre/maplibre-gl.mjs";

const BUILDINGS_FROM = 14; // level of the map from which buildings are asked for
const MOST = 10000;
let token = null;

const NAMES = {
  code: "编码", house_code: "房屋编码", name: "名称", address: "地址", subdistrict: "街道", community: "社区",
  nature: "性质", rental: "出租", floors_above: "层数", built_year: "建成年份", valid_from: "生效日期", approximate: "边界近似",
};
const TITLES = { subdistricts: "街道 Subdistricts", communities: "社区 Communities", grids: "网格 Grids", buildings: "楼栋 Buildings" };
const PAINT = {
  subdistricts: [["line", { "line-color": "#1d3557", "line-width": 2.5 }]],
  communities: [["fill", { "fill-color": "#5b7fa6", "fill-opacity": 0.06 }], ["line", { "line-color": "#5b7fa6", "line-width": 1 }]],
  grids: [["fill", { "fill-color": "#d97706", "fill-opacity": 0.08 }], ["line", { "line-color": "#d97706", "line-width": 1 }]],
  buildings: [
    ["fill", { "fill-color": "#c2664f", "fill-opacity": 0.7 }, ["==", ["geometry-type"], "Polygon"]],
    ["circle", { "circle-color": "#8a3b2b", "circle-radius": 4 }, ["==", ["geometry-type"], "Point"]],
  ],
};

const map = new MapLibre({
  container: "map",
  style: { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: { "background-color": "#f4f1ea" } }] },
  center: [114.04, 22.68],
  zoom: 10,
  attributionControl: false,
});
map.addControl(new NavigationControl(), "top-right");
map.addControl(new ScaleControl(), "bottom-right");

map.on("load", async () => {
  for (const layer of ["communities", "grids", "subdistricts", "buildings"]) {
    map.addSource(layer, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    for (const [type, paint, filter] of PAINT[layer]) {
      map.addLayer({ id: `${layer}-${type}`, source: layer, type, paint, ...(filter ? { filter } : {}) });
    }
  }
  try {
    const described = await answer("/ogc/collections/subdistricts");
    const box = described.extent?.spatial.bbox[0];
    if (box) map.fitBounds(box, { padding: { top: 30, bottom: 30, left: 310, right: 30 }, animate: false });
    await Promise.all([show("subdistricts"), show("communities")]);
  } catch (error) {
    say(error.message);
  }
  document.body.dataset.ready = "areas";
});

map.on("moveend", () => token && showBuildings().catch((error) => say(error.message)));

map.on("click", (event) => {
  const layers = ["buildings-circle", "buildings-fill", "grids-fill", "communities-fill"].filter((id) => map.getLayer(id));
  const hit = map.queryRenderedFeatures(event.point, { layers })[0];
  if (hit) new Popup().setLngLat(event.lngLat).setDOMContent(told(hit.properties)).addTo(map);
});

document.getElementById("log-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  say("");
  try {
    const given = { username: form.username.value, password: form.password.value };
    const issued = await answer("/v1/auth/token", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });
    token = issued.access_token;
    form.password.value = "";
    form.hidden = true;
    const me = await answer("/v1/accounts/me");
    const who = document.getElementById("who");
    who.textContent = `${me.display_name} · ${me.areas.concat(me.grids.slice(0, 3)).map((area) => area.name).join("、") || me.role}`;
    who.hidden = false;
    await Promise.all([show("grids"), showBuildings()]);
    document.body.dataset.ready = "grids";
  } catch (error) {
    say(error.message);
  }
});

async function show(layer, query = "") {
  const features = [];
  let next = `/ogc/collections/${layer}/items?limit=${MOST}${query}`;
  while (next && features.length < MOST) {
    const page = await answer(next);
    features.push(...page.features);
    next = page.links.find((link) => link.rel === "next")?.href;
  }
  map.getSource(layer).setData({ type: "FeatureCollection", features });
  count(layer, features.length);
}

let asked = 0;
async function showBuildings() {
  if (map.getZoom() < BUILDINGS_FROM) return count("buildings", "放大 zoom in");
  const mine = ++asked;
  await new Promise((wait) => setTimeout(wait, 150)); // while the map is being dragged only its last place counts
  if (mine !== asked) return;
  const box = map.getBounds();
  const sides = [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()].map((side) => side.toFixed(6));
  await show("buildings", `&bbox=${sides.join(",")}`);
}

async function answer(address, options = {}) {
  const headers = { Accept: "application/json", ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(address, { ...options, headers });
  const body = await response.json();
  if (response.status === 401 && token) {
    token = null;
    document.getElementById("log-in").hidden = false;
    document.getElementById("who").hidden = true;
  }
  if (!response.ok) throw new Error(`${body.title_zh} ${body.detail}`);
  return body;
}

function count(layer, number) {
  const list = document.getElementById("layers");
  let line = list.querySelector(`.${layer}`);
  if (!line) {
    line = list.appendChild(document.createElement("li"));
    line.className = layer;
    line.append(document.createElement("i"), TITLES[layer], document.createElement("b"));
  }
  line.lastChild.textContent = String(number);
}

// textContent only: a name is text, whatever somebody wrote into it.
function told(properties) {
  const list = document.createElement("dl");
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === "null") continue;
    list.appendChild(document.createElement("dt")).textContent = NAMES[name] ?? name;
    list.appendChild(document.createElement("dd")).textContent = value === true ? "是" : value === false ? "否" : String(value);
  }
  return list;
}

function say(text) {
  document.getElementById("said").textContent = text;
}
