// One recipe: regions on a picture, and fields that are the recipe's file. The station writes the text and says what is wrong
// with it; here it is only asked, with every pause in typing.

import { headers } from "./shell.js";

const page = document.getElementById("recipe");
const given = JSON.parse(page.dataset.given);
const { choices, texts, may } = given;
const fields = given.fields;
const $ = (id) => document.getElementById(id);
const say = (key, holes = {}) => Object.entries(holes).reduce((text, [name, value]) => text.replace(`{${name}}`, value), texts[key]);

/** The key is taken out of the file, or is not there. */
const isUnset = (value) => value === undefined || value === null || value === "";

// ---- Fields -------------------------------------------------------------------------------------------------------

const make = (tag, attributes = {}, ...inside) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
};

const set = (table, key, value) => {
  // What the file has is taken out by null; what it never had need not be.
  if (isUnset(value)) table[key] = null;
  else table[key] = value;
  changed();
};

/** One field: a label with its input, which says at `route` what is wrong with it. */
const field = (table, list, at, key, kind, label = texts[`key_${key}`]) => {
  const wrapper = make("label", { class: `field field-${kind}` }, make("span", {}, label));
  wrapper.dataset.route = at === null ? `${list}.${key}` : `${list}.${at}.${key}`;
  const options = optionsOf(kind, table);
  let input;
  if (options) {
    input = make("select", { disabled: !may });
    const known = options.some(([value]) => value === table[key]);
    const all = known || isUnset(table[key]) ? options : [...options, [table[key], table[key]]];
    for (const [value, text] of all) input.append(make("option", { value, selected: value === (table[key] ?? "") }, text));
    input.addEventListener("change", () => set(table, key, input.value));
  } else if (["score", "number", "whole"].includes(kind)) {
    input = make("input", { type: "number", step: kind === "whole" ? "1" : "any", inputmode: "decimal", autocomplete: "off", disabled: !may });
    if (!isUnset(table[key])) input.value = table[key];
    input.addEventListener("input", () => set(table, key, input.value === "" ? null : Number(input.value)));
  } else {
    input = make("input", { type: "text", autocomplete: "off", spellcheck: "false", disabled: !may });
    input.value = kind === "zone" && !isUnset(table[key]) ? JSON.stringify(table[key]) : (table[key] ?? "");
    input.addEventListener("input", () => set(table, key, kind === "zone" ? zone(input.value) : input.value));
  }
  wrapper.append(input, make("span", { class: "trouble", role: "alert", hidden: true }));
  return wrapper;
};

/** A zone as it is written; what is none is sent as it is, and the station says what is wrong with it. */
const zone = (text) => {
  try {
    return text.trim() === "" ? null : JSON.parse(text);
  } catch {
    return text;
  }
};

const named = (list) => fields[list].map((table) => table.name).filter((name) => !isUnset(name));
const cardOf = (model) => choices.cards.find((card) => card.path === fields.model.find((one) => one.name === model)?.card);

/** What there is to choose from; null where anything can be written. */
const optionsOf = (kind, table) => {
  const plain = (values) => values.map((value) => [value, value]);
  const optional = (values) => [["", texts.any], ...plain(values)];
  switch (kind) {
    case "kind": return given.rules.map(({ kind }) => [kind, texts[`kind_${kind}`] === kind ? kind : `${texts[`kind_${kind}`]} · ${kind}`]);
    case "region": return optional(named("region"));
    case "camera": return optional(choices.cameras);
    case "model": return optional([...new Set(fields.model.map((model) => cardOf(model.name)?.name ?? model.name))]);
    case "its_model": return plain(named("model"));
    case "card": return choices.cards.map((card) => [card.path, `${card.name} · ${card.family}`]);
    case "measure": return plain(given.measures);
    case "of": return [["", texts.by_default], ...plain(["each", "sum"])];
    case "in_doubt": return [["", texts.by_default], ...plain(["fail", "pass"])];
    case "class": {
      const looked = fields.region.filter((region) => isUnset(table.region) || region.name === table.region);
      const labels = new Set(looked.flatMap((region) => cardOf(region.model)?.labels ?? []));
      return labels.size ? optional([...labels]) : null;
    }
    default: return null;
  }
};

const removeButton = (list, at) => {
  const button = make("button", { type: "button", class: "remove", disabled: !may }, texts.remove);
  button.addEventListener("click", () => {
    fields[list].splice(at, 1);
    if (list === "region") picked = Math.min(picked, fields.region.length - 1);
    render();
    changed();
  });
  return button;
};

const addButton = (list, label, add) => {
  const button = make("button", { type: "button", disabled: !may }, label);
  button.addEventListener("click", () => {
    add();
    render();
    changed();
    $(list).querySelector(".table:last-of-type input")?.focus();
  });
  return button;
};

const fresh = (list, text) => {
  const taken = new Set(named(list));
  let n = fields[list].length + 1;
  while (taken.has(say(text, { n }))) n += 1;
  return say(text, { n });
};

// Which rules show all their fields: a table that is rendered anew stays as it was.
const opened = new WeakSet();

const rule = (table, at) => {
  const known = given.rules.find(({ kind }) => kind === table.kind) ?? { must: [], may: [] };
  const box = make("div", { class: "table" });
  box.dataset.route = `rule.${at}`;
  const kind = field(table, "rule", at, "kind", "kind");
  kind.querySelector("select").addEventListener("change", () => {
    const keeps = given.rules.find((other) => other.kind === table.kind);
    const keys = new Set([...keeps.must, ...keeps.may].map(([key]) => key));
    for (const key of Object.keys(table)) if (!keys.has(key) && !["name", "kind", "_was"].includes(key)) table[key] = null;
    render();
  });
  box.append(make("div", { class: "fields" }, field(table, "rule", at, "name", "text"), kind, removeButton("rule", at)));
  const shows = ([key]) => !isUnset(table[key]);
  // The file may say `score_max` where the rule says `max`.
  const spelled = ([key, kind]) => [key === "max" && "score_max" in table ? "score_max" : key, kind, texts[`key_${key}`]];
  const into = (list) => list.map(spelled).map(([key, kind, label]) => field(table, "rule", at, key, kind, label));
  box.append(make("div", { class: "fields" }, ...into(known.must), ...into(known.may.filter(shows))));
  const rest = known.may.filter((one) => !shows(one) && !(one[1] === "camera" && choices.cameras.length < 2));
  if (rest.length) {
    const more = make("details", { open: opened.has(table) }, make("summary", {}, texts.more), make("div", { class: "fields" }, ...into(rest)));
    more.addEventListener("toggle", () => (more.open ? opened.add(table) : opened.delete(table)));
    box.append(more);
  }
  box.append(make("p", { class: "trouble", role: "alert", hidden: true }));
  return box;
};

const model = (table, at) => {
  const box = make("div", { class: "table" });
  box.dataset.route = `model.${at}`;
  const labels = choices.cards.find((card) => card.path === table.card)?.labels;
  const card = field(table, "model", at, "card", "card");
  card.querySelector("select").addEventListener("change", render);
  box.append(make("div", { class: "fields" }, field(table, "model", at, "name", "text"), card, removeButton("model", at)));
  if (labels?.length) box.append(make("p", { class: "quiet" }, say("labels", { labels: labels.join(", ") })));
  box.append(make("p", { class: "trouble", role: "alert", hidden: true }));
  return box;
};

const region = (table, at) => {
  const box = make("div", { class: `table${at === picked ? " picked" : ""}` });
  box.dataset.route = `region.${at}`;
  box.addEventListener("focusin", () => pick(at));
  const top = [field(table, "region", at, "name", "text"), field(table, "region", at, "model", "its_model")];
  if (choices.cameras.length > 1) top.push(field(table, "region", at, "camera", "camera"));
  const whole = make("input", { type: "checkbox", disabled: !may });
  whole.checked = isUnset(table.rect_px);
  whole.addEventListener("change", () => {
    set(table, "rect_px", whole.checked ? null : middle());
    render();
  });
  const sides = ["x", "y", "w", "h"].map((side, n) => {
    const input = make("input", { type: "number", step: "1", disabled: !may || whole.checked, inputmode: "numeric", autocomplete: "off" });
    input.dataset.side = n;
    if (!whole.checked) input.value = table.rect_px[n];
    input.addEventListener("input", () => {
      if (input.value === "") return;
      table.rect_px[n] = Number(input.value);
      draw();
      changed();
    });
    return make("label", { class: "field edge" }, make("span", {}, texts[`key_${side}`]), input);
  });
  const rect = make("div", { class: "fields edges" }, make("label", { class: "check" }, whole, texts.whole_frame), ...(whole.checked ? [] : sides));
  rect.dataset.route = `region.${at}.rect_px`;
  rect.append(make("span", { class: "trouble", role: "alert", hidden: true }));
  box.append(make("div", { class: "fields" }, ...top, removeButton("region", at)), rect, make("p", { class: "trouble", role: "alert", hidden: true }));
  return box;
};

const render = () => {
  const held = document.activeElement?.closest?.("[data-route]")?.dataset.route;
  $("product").replaceChildren(make("div", { class: "fields" }, field(fields.recipe, "recipe", null, "number", "whole"), field(fields.recipe, "recipe", null, "deadline_ms", "whole")));
  $("rule").replaceChildren(...fields.rule.map(rule), addButton("rule", texts.add_rule, () => fields.rule.push({ name: fresh("rule", "new_rule"), kind: "absence", score_min: 0.5 })));
  $("model").replaceChildren(
    ...fields.model.map(model),
    addButton("model", texts.add_model, () => {
      const used = new Set(fields.model.map((one) => one.card));
      const card = choices.cards.find((card) => !used.has(card.path)) ?? choices.cards[0];
      fields.model.push({ name: card?.name ?? "", card: card?.path ?? "" });
    }),
  );
  $("region").replaceChildren(...fields.region.map(region), addButton("region", texts.add_region, () => addRegion(middle())));
  if (held) document.querySelector(`[data-route="${CSS.escape(held)}"] :is(input, select)`)?.focus({ preventScroll: true });
  draw();
  mark();
};

// ---- The picture --------------------------------------------------------------------------------------------------

const board = $("board");
const cameras = $("camera");
let picture = null;
let picked = fields.region?.length ? 0 : -1;

const camera = () => cameras.value || choices.cameras[0];
const isHere = (one) => choices.cameras.length < 2 || one.camera === camera();
const size = () => (picture ? [picture.width, picture.height] : [640, 480]);
const middle = () => {
  const [w, h] = size();
  return [Math.round(w / 4), Math.round(h / 4), Math.round(w / 2), Math.round(h / 2)];
};

const addRegion = (rect) => {
  const added = { name: fresh("region", "new_region"), model: named("model")[0] ?? "", rect_px: rect };
  if (choices.cameras.length > 1) added.camera = camera();
  fields.region.push(added);
  picked = fields.region.length - 1;
};

const pick = (at) => {
  picked = at;
  document.querySelectorAll("#region .table").forEach((box, n) => box.classList.toggle("picked", n === at));
  draw();
};

/** Px of the board for one px of the picture. */
const scale = () => board.width / size()[0];

const draw = () => {
  const [w, h] = size();
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const shown = board.parentElement.clientWidth;
  board.style.setProperty("aspect-ratio", `${w} / ${h}`);
  board.width = Math.round(shown * ratio);
  board.height = Math.round((board.width * h) / w);
  const pen = board.getContext("2d");
  pen.fillStyle = "#05080b";
  pen.fillRect(0, 0, board.width, board.height);
  if (picture) pen.drawImage(picture, 0, 0, board.width, board.height);
  const k = scale();
  pen.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  pen.textBaseline = "top";
  fields.region.forEach((one, at) => {
    if (!isHere(one)) return;
    const [x, y, rw, rh] = (one.rect_px ?? [0, 0, w, h]).map((px) => px * k);
    const isPicked = at === picked;
    for (const [style, width] of [["rgba(0,0,0,.8)", isPicked ? 6 : 4], [isPicked ? "#ffd54a" : "#6db3ff", isPicked ? 3 : 2]]) {
      pen.strokeStyle = style;
      pen.lineWidth = width * ratio;
      pen.setLineDash(isUnset(one.rect_px) ? [8 * ratio, 6 * ratio] : []);
      pen.strokeRect(x + 1, y + 1, rw - 2, rh - 2);
    }
    pen.setLineDash([]);
    const name = one.name ?? "";
    const tw = pen.measureText(name).width + 10 * ratio;
    pen.fillStyle = isPicked ? "#ffd54a" : "#6db3ff";
    pen.fillRect(x, y, tw, 20 * ratio);
    pen.fillStyle = "#06121f";
    pen.fillText(name, x + 5 * ratio, y + 3 * ratio);
    if (isPicked && !isUnset(one.rect_px) && may) {
      pen.fillStyle = "#ffd54a";
      for (const [hx, hy] of corners(one.rect_px)) pen.fillRect(hx * k - 5 * ratio, hy * k - 5 * ratio, 10 * ratio, 10 * ratio);
    }
  });
};

const corners = ([x, y, w, h]) => [[x, y], [x + w, y], [x, y + h], [x + w, y + h]];

/** Into the picture, in whole px, at least one of each. */
const within = ([x, y, w, h]) => {
  const [width, height] = size();
  const [left, top] = [Math.max(0, Math.min(x, width - 1)), Math.max(0, Math.min(y, height - 1))];
  return [left, top, Math.max(1, Math.min(w, width - left)), Math.max(1, Math.min(h, height - top))].map(Math.round);
};

const place = (rect, moved = false) => {
  const one = fields.region[picked];
  const [width, height] = size();
  // A region that is moved keeps its size at the edge.
  const [x, y, w, h] = rect;
  one.rect_px = within(moved ? [Math.max(0, Math.min(x, width - w)), Math.max(0, Math.min(y, height - h)), w, h] : rect);
  document.querySelectorAll(`#region .table:nth-child(${picked + 1}) [data-side]`).forEach((input) => (input.value = one.rect_px[input.dataset.side]));
  draw();
};

let drag = null;
const at = (event) => {
  const box = board.getBoundingClientRect();
  const [w, h] = size();
  return [((event.clientX - box.left) * w) / box.width, ((event.clientY - box.top) * h) / box.height];
};

board.addEventListener("pointerdown", (event) => {
  if (!may || event.button !== 0) return;
  const [x, y] = at(event);
  const reach = ((event.pointerType === "touch" ? 24 : 10) * size()[0]) / board.clientWidth;
  const own = fields.region[picked];
  const corner = own?.rect_px && isHere(own) ? corners(own.rect_px).findIndex(([cx, cy]) => Math.hypot(cx - x, cy - y) < reach) : -1;
  if (corner >= 0) {
    drag = { from: corners(own.rect_px)[3 - corner], sizes: true };
  } else {
    const inside = ({ rect_px: r }) => r && x >= r[0] && x <= r[0] + r[2] && y >= r[1] && y <= r[1] + r[3];
    const area = (one) => one.rect_px[2] * one.rect_px[3];
    const hit = fields.region.map((one, n) => [one, n]).filter(([one]) => isHere(one) && inside(one)).sort(([a], [b]) => area(a) - area(b))[0];
    if (hit) {
      pick(hit[1]);
      drag = { grip: [x - hit[0].rect_px[0], y - hit[0].rect_px[1]] };
    } else {
      drag = { from: [x, y], draws: true };
    }
  }
  board.setPointerCapture(event.pointerId);
  board.focus({ preventScroll: true });
  event.preventDefault();
});

board.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [x, y] = at(event);
  if (drag.grip) {
    const [, , w, h] = fields.region[picked].rect_px;
    place([x - drag.grip[0], y - drag.grip[1], w, h], true);
  } else {
    const [fx, fy] = drag.from;
    const rect = [Math.min(x, fx), Math.min(y, fy), Math.abs(x - fx), Math.abs(y - fy)];
    if (drag.draws) {
      if (Math.max(rect[2], rect[3]) < 4) return;
      // A region without a place gets one; else it is a new region.
      const own = fields.region[picked];
      if (!own || !isUnset(own.rect_px) || !isHere(own)) addRegion(within(rect));
      else own.rect_px = within(rect);
      drag.draws = false;
      render();
    }
    place(rect);
  }
});

const drop = () => {
  if (drag) changed();
  drag = null;
};
board.addEventListener("pointerup", drop);
board.addEventListener("pointercancel", drop);

board.addEventListener("keydown", (event) => {
  const here = fields.region.map((one, n) => [one, n]).filter(([one]) => isHere(one)).map(([, n]) => n);
  if (event.key === "[" || event.key === "]") {
    const step = event.key === "]" ? 1 : -1;
    if (here.length) pick(here[(here.indexOf(picked) + step + here.length) % here.length]);
  } else if (event.key === "n" && may) {
    addRegion(middle());
    render();
    changed();
    board.focus({ preventScroll: true });
  } else {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const rect = fields.region[picked]?.rect_px;
    if ((!dx && !dy) || !may || !rect) return;
    const step = event.shiftKey ? 10 : 1;
    const [x, y, w, h] = rect;
    if (event.ctrlKey || event.metaKey) place([x, y, w + dx * step, h + dy * step]);
    else place([x + dx * step, y + dy * step, w, h], true);
    changed();
  }
  event.preventDefault();
});

const show = async (blob) => {
  try {
    picture = await createImageBitmap(blob);
    const [w, h] = size();
    $("board-says").textContent = say("size", { w, h });
  } catch {
    picture = null;
    $("board-says").textContent = texts.unreadable;
  }
  draw();
  board.dataset.ready = "yes";
};

const newest = async () => {
  try {
    const answer = await fetch(`${given.address}/pictures/${encodeURIComponent(camera())}`);
    if (answer.ok) return await show(await answer.blob());
  } catch {
    $("lost").hidden = false;
    $("lost").textContent = texts.lost;
  }
  picture = null;
  $("board-says").textContent = texts.no_picture;
  draw();
  board.dataset.ready = "yes";
};

$("newest").addEventListener("click", newest);
$("upload").addEventListener("change", (event) => event.target.files[0] && show(event.target.files[0]));
cameras.addEventListener("change", () => {
  picked = fields.region.findIndex(isHere);
  render();
  newest();
});

// ---- What the station says of it ----------------------------------------------------------------------------------

let asked = 0;
let waits = null;
let troubles = given.troubles;

const changed = () => {
  const hidden = $("fields");
  if (hidden) hidden.value = JSON.stringify(fields);
  $("change").dataset.settled = "";
  clearTimeout(waits);
  waits = setTimeout(ask, 350);
};

const ask = async () => {
  if (!may) return mark();
  const mine = ++asked;
  const body = new URLSearchParams({ digest: given.digest, fields: JSON.stringify(fields) });
  try {
    const answer = await fetch(`/api/v1${given.address}/draft`, { method: "POST", headers: headers(), body });
    const told = await answer.json();
    if (mine !== asked) return;
    $("lost").hidden = true;
    if (answer.status === 409) return conflict(told);
    if (!answer.ok) return settle({ problems: [{ route: [], line: 0, says: told.error, hint: "" }], lines: [] });
    settle(told);
  } catch {
    $("lost").hidden = false;
    $("lost").textContent = texts.lost;
  }
};

const difference = (into, lines) => {
  into.replaceChildren(...lines.map(({ side, text }) => make("span", { class: `diff-${side}` }, text)));
  into.hidden = !lines.length;
};

const button = () => document.querySelector("#propose button");

const settle = ({ problems, lines }) => {
  troubles = problems;
  difference($("lines"), lines);
  $("change-says").textContent = problems.length ? say("troubled", { n: problems.length }) : lines.length ? texts.changed : texts.unchanged;
  if (button()) button().disabled = problems.length > 0 || lines.length === 0;
  mark();
  $("change").dataset.settled = "yes";
};

const conflict = ({ error, lines }) => {
  const box = $("conflict");
  box.hidden = false;
  box.querySelector("p").textContent = `${texts.conflict} ${error}`;
  difference(box.querySelector("pre"), lines ?? []);
  if (button()) button().disabled = true;
  box.scrollIntoView({ block: "nearest" });
};

/** Each problem beside its field; what has none in the list. */
const mark = () => {
  document.querySelectorAll("#recipe .trouble").forEach((place) => {
    place.hidden = true;
    place.textContent = "";
    place.parentElement.classList.remove("troubled");
  });
  const left = [];
  for (const trouble of troubles) {
    const text = trouble.hint ? `${trouble.says}: ${trouble.hint}` : trouble.says;
    let place = null;
    for (let n = trouble.route.length; n > 0 && !place; n -= 1) {
      const box = document.querySelector(`#recipe [data-route="${CSS.escape(trouble.route.slice(0, n).join("."))}"]`);
      place = box?.querySelector(":scope > .trouble");
    }
    if (!place) {
      left.push(make("li", {}, trouble.line ? `${trouble.line}:${trouble.column} ` : "", text));
      continue;
    }
    place.textContent = place.textContent ? `${place.textContent}; ${text}` : text;
    place.hidden = false;
    place.parentElement.classList.add("troubled");
    const folded = place.closest("details");
    if (folded) folded.open = true;
  }
  $("troubles").replaceChildren(...left);
};

if (fields?.recipe) {
  if (choices.cameras.length > 1) {
    $("cameras").hidden = false;
    cameras.append(...choices.cameras.map((name) => make("option", { value: name }, name)));
    const first = fields.region.find((one) => !isUnset(one.camera));
    if (first) cameras.value = first.camera;
    picked = fields.region.findIndex(isHere);
  }
  $("follows").hidden = !given.follows_part;
  if ($("fields")) $("fields").value = JSON.stringify(fields);
  render();
  settle({ problems: given.troubles, lines: [] });
  newest();
  new ResizeObserver(draw).observe(board.parentElement);
}
page.dataset.ready = "yes";
