// Review: one part after the other, by keyboard or finger. A word counts for a part whose picture has been on the screen.
import { draw } from "./overlay.js";
import { headers } from "./shell.js";

const page = document.getElementById("review");
const texts = JSON.parse(page.dataset.texts);
const may = page.dataset.may === "yes";
const el = (id) => document.getElementById(id);
const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${page.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
};
const node = (tag, className, text) => Object.assign(document.createElement(tag), { className, textContent: text ?? "" });
const fill = (text, values) => Object.entries(values).reduce((all, [name, value]) => all.replace(`{${name}}`, value), text);

let items = [];
let classes = [];
let at = 0;
let reviewed = 0;
let said = [];       // what z takes back, newest last
let mode = "findings";
let shown = null;    // the part whose picture is on the screen
let busy = false;

const SHOWN_MS = 150;
const AGAIN_MS = 60_000;
const ASK_MS = 5_000;

let hide = 0;
const tell = (text, bad = true) => {
  clearTimeout(hide);
  el("says").textContent = text;
  el("says").className = `notice ${bad ? "bad" : "good"}`;
  el("says").hidden = !text;
  if (!bad) hide = setTimeout(() => (el("says").hidden = true), 4000);
};

const load = async (find = "") => {
  try {
    const answer = await fetch(`/api/v1/review${find ? `?find=${encodeURIComponent(find)}` : ""}`, { signal: AbortSignal.timeout(20_000) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    if (find && !told.parts.length) return tell(texts.none_found);
    [items, classes, said] = [told.parts, told.classes.slice(0, 9), []];
    at = Math.max(0, items.findIndex((item) => !item.word));
    tell("");
    build();
    show();
  } catch (error) {
    tell(`${texts.silent} ${error.message}`);
    el("progress").textContent = "";
    page.hidden = el("done").hidden = true;
    setTimeout(() => load(find), ASK_MS);
  }
};

const left = () => items.filter((item) => !item.word).length;

const build = () => {
  el("queue").replaceChildren(...items.map((item, i) => {
    const button = node("button", "queued");
    button.type = "button";
    button.setAttribute("aria-label", `${texts.part} ${item.part_id}, ${texts.verdict[item.verdict]}`);
    const thumb = item.pictures.find((picture) => picture.thumb)?.thumb;
    if (thumb) {
      const img = new Image(96, 72);
      img.loading = "lazy";
      img.alt = "";
      img.src = thumb;
      button.append(img);
    } else button.append(node("span", "no-thumb", "–"));
    button.append(node("span", "queued-part", String(item.part_id)), node("span", "queued-word"));
    button.addEventListener("click", () => go(i));
    const row = node("li", "");
    row.append(button);
    return row;
  }));
  el("classes").replaceChildren(...classes.map((name, i) => {
    const button = node("button", "big", name);
    button.type = "button";
    button.disabled = !may;
    button.append(node("kbd", "", String(i + 1)));
    button.addEventListener("click", () => say("defective", name));
    return button;
  }));
  el("classes-head").hidden = !classes.length;
};

const progress = () => { el("progress").textContent = fill(texts.progress, { n: reviewed, left: left() }); };

/** The present part, or that there is none left. */
const show = () => {
  const item = items[at];
  const done = !items.length || (!left() && !items.some((item) => item.why === "asked"));
  el("done").hidden = !done;
  page.hidden = done;
  progress();
  if (done) return;
  [...el("queue").children].forEach((row, i) => {
    const button = row.firstChild;
    const word = items[i].word?.word;
    button.classList.toggle("here", i === at);
    if (i === at) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
    button.querySelector(".queued-word").replaceChildren(...(word ? [icon({ good: "verdict-pass", defective: "verdict-fail", unsure: "condition-unknown" }[word])] : []));
    button.dataset.word = word ?? "";
  });
  // The queue alone is scrolled: on a narrow screen it lies below, and the picture stays where it is.
  const [row, strip] = [el("queue").children[at], el("queue")];
  if (row) strip.scrollLeft += row.getBoundingClientRect().left - strip.getBoundingClientRect().left - strip.clientWidth / 3;
  const part = el("part");
  part.textContent = `${texts.part} ${item.part_id}${item.serial ? ` · ${item.serial}` : ""}`;
  part.href = `/parts/${item.part_id}?at=${item.at}`;
  el("verdict").className = `verdict verdict-${item.verdict}`;
  el("verdict").replaceChildren(icon(`verdict-${item.verdict}`), texts.verdict[item.verdict]);
  el("why").textContent = `${texts.why[item.why]} · ${item.recipe} · ${new Date(item.at / 1000).toLocaleTimeString()}`;
  el("reasons").replaceChildren(...item.reasons.map((reason) => {
    const row = node("li", "");
    row.append(node("strong", "", reason.rule), ` ${reason.says}`);
    return row;
  }));
  el("scores").replaceChildren(...(item.scores.length ? item.scores.map(bar) : [node("li", "quiet", texts.no_score)]));
  word();
  picture();
};

const number = (value) => (value === null ? "∞" : String(Number(value.toPrecision(4))));

/** A score on a rail from 0 to twice its threshold, whose middle is the threshold. */
const bar = ({ rule, score, threshold, rejects }) => {
  const row = node("li", rejects ? "score rejects" : "score");
  row.append(node("span", "score-name", rule), node("span", "score-says", fill(texts.score, { score: number(score), threshold: number(threshold) })));
  const meter = document.createElement("meter");
  Object.assign(meter, { min: 0, max: 2 * threshold || 1, high: threshold, value: Math.min(score ?? Infinity, 2 * threshold || 1) });
  meter.setAttribute("aria-hidden", "true");
  row.append(meter);
  return row;
};

const word = () => {
  const { word } = items[at];
  el("word").textContent = word ? `${texts.said[word.word]}${word.class ? ` · ${word.class}` : ""} ${fill(texts.by, { who: word.by })}` : may ? "–" : texts.only_quality;
};

const frames = () => items[at].pictures.filter((picture) => picture.kind === "frame" || !/heat/.test(picture.kind));
const heat = () => items[at].pictures.find((picture) => /heat/.test(picture.kind) && picture.address);

/** The picture; it counts as shown once it has been decoded and painted for a moment. */
const picture = async () => {
  const item = items[at];
  shown = null;
  const found = mode === "heat" ? heat() ?? frames()[0] : frames().find((picture) => picture.address) ?? frames()[0];
  el("marked").textContent = texts[mode];
  const marks = el("marks");
  marks.hidden = true;
  el("note").textContent = found ? `${found.camera} · ${found.kind}` : "";
  if (!found?.address) {
    el("picture").hidden = true;
    el("gap").hidden = false;
    el("gap").textContent = found ? found.missing || texts.expired : texts.no_picture;
    return seen(item);
  }
  const img = el("picture");
  img.hidden = false;
  el("gap").hidden = true;
  img.alt = `${texts.part} ${item.part_id}`;
  img.src = found.address;
  try {
    await img.decode();
  } catch {
    if (items[at] !== item) return;
    img.hidden = true;
    el("gap").hidden = false;
    el("gap").textContent = texts.expired;
    return seen(item);
  }
  if (items[at] !== item) return;
  mark(found);
  seen(item);
  // The next one is there when it is asked for.
  const next = items.slice(at + 1).find((item) => !item.word)?.pictures.find((picture) => picture.address);
  if (next) new Image().src = next.address;
};

const mark = (found) => {
  const [img, marks] = [el("picture"), el("marks")];
  marks.hidden = mode !== "findings";
  if (marks.hidden) return;
  const scale = Math.min(img.clientWidth / found.width, img.clientHeight / found.height);
  marks.style.width = `${found.width * scale}px`;
  marks.style.height = `${found.height * scale}px`;
  draw(marks, found.width, found.height, found.findings);
};
new ResizeObserver(() => {
  const found = items[at]?.pictures.find((picture) => picture.address);
  if (found && !el("picture").hidden && shown === items[at]) mark(found);
}).observe(el("view"));

const seen = (item) => requestAnimationFrame(() => setTimeout(() => {
  if (items[at] === item && document.visibilityState === "visible") {
    shown = item;
    page.dataset.shown = item.part_id;
  }
}, SHOWN_MS));

const go = (to) => {
  if (!items.length || to < 0 || to >= items.length) return;
  at = to;
  tell("");
  show();
};
const unreviewed = () => {
  const order = [...items.keys()].map((i) => (at + 1 + i) % items.length);
  const next = order.find((i) => !items[i].word);
  if (next === undefined) show(); else go(next);
};

const send = async (item, word, name) => {
  const answer = await fetch("/api/v1/review/words", {
    method: "POST",
    headers: headers(),
    body: new URLSearchParams({ part: item.part_id, at: item.at, word, class: name, why: "reviewed at the console" }),
    signal: AbortSignal.timeout(10_000),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
};

const say = async (word, name = "") => {
  const item = items[at];
  if (!item || page.hidden || busy) return;
  if (!may) return tell(texts.only_quality);
  if (shown !== item) return tell(texts.not_shown);
  busy = true;
  try {
    const told = await send(item, word, name);
    said.push({ item, before: item.word });
    if (!item.word) reviewed += 1;
    item.word = { word, class: name, by: told.by };
    tell("");
    if (item.why === "asked") show(); else unreviewed();
  } catch (error) {
    tell(`${texts.lost} ${error.message}`);
  } finally {
    busy = false;
  }
};

const undo = async () => {
  if (busy) return;
  const last = said.at(-1);
  if (!last) return tell(texts.nothing_to_undo);
  busy = true;
  try {
    await send(last.item, last.before?.word ?? "withdrawn", last.before?.class ?? "");
    said.pop();
    last.item.word = last.before;
    if (!last.before) reviewed -= 1;
    go(items.indexOf(last.item));
    tell(fill(texts.undone, { n: last.item.part_id }), false);
  } catch (error) {
    tell(`${texts.lost} ${error.message}`);
  } finally {
    busy = false;
  }
};

const keys = {
  j: () => go(at + 1),
  k: () => go(at - 1),
  g: () => say("good"),
  b: () => say("defective"),
  u: () => say("unsure"),
  z: undo,
  " ": () => items.length && unreviewed(),
  h: () => {
    if (page.hidden) return;
    const modes = heat() ? ["findings", "heat", "bare"] : ["findings", "bare"];
    mode = modes[(modes.indexOf(mode) + 1) % modes.length];
    picture();
  },
  "/": () => el("find").focus(),
  "?": () => { el("keys").open = !el("keys").open; if (el("keys").open) el("keys").scrollIntoView({ block: "nearest" }); },
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target === el("find")) return el("find").blur();
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  // A button that has the focus is pressed by space, as everywhere.
  if (event.key === " " && event.target.matches("button, a, summary")) return;
  const name = /^[1-9]$/.test(event.key) ? classes[event.key - 1] : undefined;
  const act = name ? () => say("defective", name) : keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
document.querySelectorAll("[data-key]").forEach((button) => {
  if ("gbuz".includes(button.dataset.key)) button.disabled = !may;
  button.addEventListener("click", () => keys[button.dataset.key]());
});
el("again").addEventListener("click", () => load());
el("search").addEventListener("submit", (event) => {
  event.preventDefault();
  load(el("find").value.trim());
  el("find").blur();
});
// With nothing left, new parts are looked for by itself.
setInterval(() => { if (!el("done").hidden && document.visibilityState === "visible") load(); }, AGAIN_MS);
load();
