// The live page. A message is: header length (u32, big-endian), header (JSON), JPEG (may be empty). Each is answered, and
// only then does the station send the next: a slow browser sees fewer pictures, never late ones.
//
// Stale never looks live: a picture older than two of its periods, or a station not heard for two seconds, turns the
// view grey and says since when. Ages are counted on this machine's monotonic clock from what the station said.

import { draw } from "./overlay.js";

const page = document.getElementById("live");
const word = page.dataset;
const at = (id) => document.getElementById(id);
const [picture, overlay, tile, stale, note] = ["picture", "overlay", "tile", "stale", "picture-note"].map(at);

const SILENT_MS = 2000;
let shown = null; // the picture on the canvas: {width, height, boxes, born, period}
let heard = performance.now();
let judged = null; // the part on the tile: {part, born}
let frozen = false;
let socket = null;
let wait = 250;

// data-verdict-pass="PASS" is word.verdictPass.
const camel = (start, name) => word[`${start}${name[0].toUpperCase()}${name.slice(1)}`];
const set = (id, text) => { const place = at(id); if (place.textContent !== text) place.textContent = text; };
const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${word.icons}#${name}`);
  svg.append(use);
  return svg;
};

function connect() {
  if (socket) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}${word.socket}`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = async (message) => {
    wait = 250;
    try { await take(message.data); } finally { if (socket?.readyState === WebSocket.OPEN) socket.send("ok"); }
  };
  socket.onclose = () => {
    page.classList.add("cut");
    socket = null;
    look();
    if (document.hidden) return;
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 4000);
  };
}

// A tab that nobody sees costs the station nothing; seen again, it is stale until it has heard anew.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) socket?.close();
  else if (!socket) connect();
});

async function take(data) {
  const length = new DataView(data).getUint32(0, false);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  heard = performance.now();
  page.classList.remove("cut", "waiting");
  if (header.picture && !frozen) {
    const born = heard - header.age_ms;
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
    const { width, height } = bitmap;
    if (picture.width !== width || picture.height !== height) {
      [picture.width, picture.height] = [width, height];
    }
    picture.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    shown = { ...header.picture, born, period: header.period_ms };
    marks();
    note.hidden = false;
    note.textContent = `${word.part} ${shown.part} · ${shown.camera}`;
    // For whoever measures: from the frame's arrival at the station to the canvas.
    page.dataset.shownPart = shown.part;
    page.dataset.shownAgeMs = Math.round(performance.now() - born);
  } else if (shown) {
    shown.period = header.period_ms;
  }
  if (!frozen) tell(header);
  look();
}

function marks() {
  if (shown) draw(overlay, shown.width, shown.height, at("marks").getAttribute("aria-pressed") === "true" ? shown.boxes : []);
}

function tell({ snapshot, strip, rejects, shift_since }) {
  const last = snapshot.last[0];
  const judges = snapshot.state === "running" || snapshot.state === "degraded";
  const verdict = last ? last.verdict : "none";
  const name = judges ? `verdict-${verdict}` : `state-${snapshot.state}`;
  tile.className = `tile ${judges ? name : "not-judging"}`;
  at("tile-shape").setAttribute("href", `${word.icons}#${name}`);
  set("tile-word", judges ? (last ? camel("verdict", verdict) : word.noParts) : camel("state", snapshot.state));
  judged = judges && last ? { part: last.part, born: heard - (Date.parse(snapshot.at) - Date.parse(last.at)) } : null;
  if (!judged) set("tile-part", judges ? "" : word.notJudging);
  set("tile-says", judges ? (last?.says ?? "") : (snapshot.reasons[0] ?? ""));

  const list = at("last");
  const key = snapshot.last.map((part) => part.part).join();
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren(...snapshot.last.map((part) => {
      const item = document.createElement("li");
      item.className = `verdict-${part.verdict}`;
      item.title = `${camel("verdict", part.verdict)}${part.says ? `: ${part.says}` : ""}`;
      const number = document.createElement("span");
      number.textContent = part.part;
      if ("opensParts" in word) {
        const link = document.createElement("a");
        link.href = `/parts/${part.part}`;
        link.setAttribute("aria-label", `${part.part} ${item.title}`);
        link.append(icon(`verdict-${part.verdict}`), number);
        item.append(link);
      } else {
        item.append(icon(`verdict-${part.verdict}`), number);
      }
      return item;
    }));
  }
  const { pass, fail, missed, late } = snapshot.shift;
  set("n-parts", String(pass + fail + missed + late));
  set("n-pass", String(pass));
  set("n-fail", String(fail));
  set("n-missed", String(missed + late));
  set("n-rejects", rejects);
  set("recipe", snapshot.recipe.name);
  set("shift", word.shift.replace("{n}", shift_since));
  if (snapshot.latency) set("latency", `${snapshot.latency.p50_ms.toFixed(1)} / ${snapshot.latency.p99_ms.toFixed(1)} ms`);
  for (const [kind, condition, says] of strip) {
    const item = at("strip").querySelector(`[data-kind="${kind}"]`);
    if (!item || item.title === says && item.className === `condition-${condition}`) continue;
    item.className = `condition-${condition}`;
    item.title = says;
    item.querySelector("use").setAttribute("href", `${word.icons}#condition-${condition}`);
    item.querySelector(".word").textContent = camel("condition", condition);
  }
  const reasons = at("reasons");
  reasons.hidden = snapshot.reasons.length === 0;
  const told = snapshot.reasons.join("\n");
  if (reasons.dataset.key !== told) {
    reasons.dataset.key = told;
    reasons.querySelector("ul").replaceChildren(...snapshot.reasons.map((reason) => {
      const item = document.createElement("li");
      item.textContent = reason;
      return item;
    }));
  }
}

// What is old looks old, ten times a second, whether anything comes or not.
function look() {
  const now = performance.now();
  const silent = now - heard;
  const cut = page.classList.contains("cut") || silent > SILENT_MS;
  const age = shown ? now - shown.born : Infinity;
  const old = !shown || age > 2 * shown.period;
  page.classList.toggle("cut", cut);
  page.classList.toggle("old", old || cut || frozen);
  const seconds = (ms) => (ms / 1000).toFixed(1);
  // A verdict of a while ago is nobody's verdict now; and of a station that is not heard nothing is known.
  if (cut) {
    tile.className = "tile not-judging";
    at("tile-shape").setAttribute("href", `${word.icons}#condition-unknown`);
    set("tile-word", word.lostWord);
    set("tile-part", "");
    set("tile-says", "");
  } else if (judged) {
    const rest = now - judged.born;
    const idle = rest > Math.max(10_000, 4 * (shown?.period ?? 0));
    tile.classList.toggle("idle", idle);
    set("tile-part", `${word.part} ${judged.part}${idle ? ` · ${word.ago.replace("{n}", Math.floor(rest / 1000))}` : ""}`);
  }
  const says = cut ? word.lost.replace("{n}", seconds(silent))
    : frozen ? word.frozen
    : !shown ? word.noPictureYet
    : old ? word.noPicture.replace("{n}", seconds(age))
    : "";
  if (stale.textContent !== says) stale.textContent = says;
  stale.hidden = says === "";
}
setInterval(look, 100);

for (const [id, work] of [["freeze", (on) => { frozen = on; look(); }], ["marks", marks]]) {
  at(id).addEventListener("click", (event) => {
    const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(on));
    work(on);
  });
}
new ResizeObserver(marks).observe(picture);
connect();
