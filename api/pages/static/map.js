// The map of the district: whole maps from /ogc/styles, drawn from vector tiles that show what the caller may see.
// The token lives in this variable and nowhere else: closing the page logs out.
import { Map as MapLibre, NavigationControl, Popup, ScaleControl } from "./maplibre/maplibre-gl.mjs";

let token = null;
let style = null; // what is drawn now
const titles = {}; // of the properties of each layer
const maps = document.getElementById("maps");

const map = new MapLibre({
  container: "map",
  style: { version: 8, sources: {}, layers: [] },
  center: [114.04, 22.68],
  zoom: 9,
  attributionControl: false,
  transformRequest: (url) => (token && isOurs(url) ? { url, headers: { Authorization: `Bearer ${token}` } } : { url }),
});
map.addControl(new NavigationControl(), "top-right");
map.addControl(new ScaleControl(), "bottom-right");

const isOurs = (url) => new URL(url, location.href).origin === location.origin;

// What is asked for must be about the map that is shown last, however long earlier answers took.
async function draw(name, moving = false) {
  delete document.body.dataset.drawn;
  maps.value = name;
  const drawing = await answer(`/ogc/styles/${encodeURIComponent(name)}?f=mapbox`);
  if (maps.value !== name) return;
  style = drawing;
  map.setStyle(style);
  map.triggerRepaint(); // also when nothing differs, so that it becomes idle again
  if (moving && style.center) {
    const room = Math.log2(Math.min(map.getContainer().clientWidth - 320, map.getContainer().clientHeight) / 540);
    map.jumpTo({ center: style.center, zoom: style.zoom + Math.max(room, -2), padding: { left: 290, top: 0, right: 0, bottom: 0 } });
  }
  explain();
}

async function choose(moving) {
  const page = await answer("/ogc/styles");
  const wanted = page.styles.some((one) => one.id === maps.value) && !moving ? maps.value : page.default;
  maps.replaceChildren(
    ...page.styles.map((one) => {
      const option = document.createElement("option");
      option.value = one.id;
      option.textContent = `${one.titles.zh} ${one.titles.en}`;
      return option;
    }),
  );
  await draw(wanted, moving);
}

// The colours that are drawn at this level of the map.
function explain() {
  if (!style) return;
  const zoom = map.getZoom();
  const shown = style.metadata["gridmgmt:legend"].filter((one) => zoom >= (one.minzoom ?? 0) && zoom < (one.maxzoom ?? 99));
  document.getElementById("legend").replaceChildren(
    ...shown.map((one) => {
      const line = document.createElement("li");
      line.appendChild(document.createElement("i")).style.background = one.colour;
      line.append(`${one.title_zh} ${one.title}`);
      return line;
    }),
  );
}

// What the map is about, as far as it is in view. A feature that lies in several tiles is one.
function seen() {
  const about = style.metadata["gridmgmt:about"];
  const layers = map.getStyle().layers.filter((layer) => layer.source === about).map((layer) => layer.id);
  const features = map.queryRenderedFeatures({ layers });
  return new Set(features.map((feature) => feature.id ?? JSON.stringify(feature.geometry))).size;
}

map.on("zoom", explain);
map.on("idle", () => {
  if (!style) return;
  const number = seen();
  document.getElementById("empty").hidden = number > 0;
  document.body.dataset.features = number;
  document.body.dataset.drawn = maps.value;
});
map.on("error", ({ error }) => (error?.status === 401 ? logOut() : say(error?.message ?? "")));
maps.addEventListener("change", () => tell(draw(maps.value)));

map.on("click", (event) => {
  const hits = map.queryRenderedFeatures(event.point).filter((one) => one.layer.type !== "symbol");
  const hit = hits.find((one) => one.source === style?.metadata["gridmgmt:about"]) ?? hits.at(-1); // the smallest area lies lowest
  if (hit) tell(show(hit, event.lngLat));
});

async function show(feature, place) {
  const isOne = feature.id !== undefined && !("count" in feature.properties);
  const address = `/ogc/collections/${feature.source}`;
  titles[feature.source] ??= (await answer(`${address}/schema`)).properties;
  const properties = isOne ? (await answer(`${address}/items/${encodeURIComponent(feature.id)}`)).properties : feature.properties;
  new Popup({ maxWidth: "320px" }).setLngLat(place).setDOMContent(told(properties, titles[feature.source])).addTo(map);
}

document.getElementById("log-in").addEventListener("submit", (event) => {
  event.preventDefault();
  tell(logIn(event.target));
});

async function logIn(form) {
  const given = { username: form.username.value, password: form.password.value };
  const issued = await answer("/v1/auth/token", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });
  token = issued.access_token;
  form.password.value = "";
  form.hidden = true;
  const me = await answer("/v1/accounts/me");
  const who = document.getElementById("who");
  who.textContent = `${me.display_name} · ${me.areas.concat(me.grids.slice(0, 3)).map((area) => area.name).join("、") || me.role}`;
  who.hidden = false;
  await choose(true);
}

function logOut() {
  if (!token) return;
  token = null;
  document.getElementById("log-in").hidden = false;
  document.getElementById("who").hidden = true;
  tell(choose(false));
}

async function answer(address, options = {}) {
  const headers = { Accept: "application/json", ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(address, { ...options, headers });
  const body = await response.json();
  if (response.status === 401) logOut();
  if (!response.ok) throw new Error(`${body.title_zh} ${body.detail}`);
  return body;
}

// textContent only: a name is text, whatever somebody wrote into it.
function told(properties, known) {
  const list = document.createElement("dl");
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === "null") continue;
    list.appendChild(document.createElement("dt")).textContent = known[name]?.title ?? NUMBERS[name] ?? name;
    list.appendChild(document.createElement("dd")).textContent = value === true ? "是" : value === false ? "否" : String(value);
  }
  return list;
}

const NUMBERS = { count: "Number 数量" };

async function tell(doing) {
  say("");
  try {
    await doing;
  } catch (error) {
    say(error.message);
  }
}

function say(text) {
  document.getElementById("said").textContent = text;
}

map.once("load", () => tell(choose(true)));
