// A threshold under the hand: counts, bounds and parts that flip follow it at the screen's own rate. What is counted here is
// a preview; the station counts again when it is proposed.
import { below, bound, count, nextFlip, percent, read, written } from "./counting.js";

const page = document.getElementById("tuning");
const api = page.dataset.api;
const texts = JSON.parse(page.dataset.texts);
const el = (id) => document.getElementById(id);
const say = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), texts[key]);
const [slider, value, claim] = [el("slider"), el("value"), el("claim")];
const lost = (says) => { el("lost").textContent = says; el("lost").hidden = !says; page.classList.toggle("old", !!says); };

let known = null;    // what the station told of the rule
let scores = null;   // sorted
let threshold = 0;   // as a recipe would hold it
let range = { low: 0, high: 1, step: 0.01 };
let asked = false;   // a frame is waiting to be drawn

const load = async () => {
  const [told, bin] = await Promise.all([fetch(api), fetch(`${api}/scores.bin`)]);
  if (!told.ok) throw new Error((await told.json()).error);
  if (!bin.ok) throw new Error((await bin.json()).error);
  [known, scores] = [await told.json(), read(await bin.arrayBuffer())];
  known.above = known.rule.rejects === "above";
  range = rangeOf(scores.all, known.rule.value);
  [slider.min, slider.max] = [range.low, range.high];
  el("low").textContent = written(range.low);
  el("high").textContent = written(range.high);
  claim.replaceChildren(...known.needed.map(({ escape_max }) => new Option(`≤ ${percent(escape_max)}`, escape_max)));
  claim.value = known.needed.find((row) => row.escape_max === 0.01) ? "0.01" : claim.options[0]?.value;
  if (el("digest")) el("digest").value = known.rule.file_digest;
  paint();
  move(Math.fround(known.rule.value));
  lost("");
  page.dataset.ready = "yes";
};

/** From nothing to a little beyond every score there is, in round numbers. */
const rangeOf = (all, present) => {
  const finite = below(all, Infinity, false);
  const top = Math.max(finite ? all[finite - 1] : 0, present, 1e-6);
  const high = top <= 1 && top > 0.2 ? 1 : top * 1.15;
  const step = 10 ** Math.floor(Math.log10(high / 50));
  return { low: 0, high: Math.fround(Math.ceil(high / step) * step), step };
};

const across = (score) => Math.min(1, Math.max(0, (score - range.low) / (range.high - range.low)));

// The histogram is drawn once; lines and zones over it are moved.
const paint = () => {
  const canvas = el("plot");
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(page);
  const bins = Math.max(20, Math.min(120, Math.floor(width / 7)));
  const sums = [scores.good, scores.defective].map((sorted) => {
    const edge = (bin) => below(sorted, range.low + ((range.high - range.low) * bin) / bins, false);
    // The last bar holds whatever lies beyond, too.
    return Array.from({ length: bins }, (_, bin) => (bin === bins - 1 ? sorted.length : edge(bin + 1)) - edge(bin));
  });
  const top = Math.log10(1 + Math.max(1, ...sums[0], ...sums[1]));
  const middle = canvas.height / 2;
  const room = middle - 8 * ratio;
  const wide = canvas.width / bins;
  const tall = (n) => (n ? Math.max(2 * ratio, (room * Math.log10(1 + n)) / top) : 0);
  pen.fillStyle = style.getPropertyValue("--good-ink");
  sums[0].forEach((n, bin) => pen.fillRect(bin * wide + ratio / 2, middle - tall(n), wide - ratio, tall(n)));
  // Defective ones are hatched: told apart without colours too.
  const bad = style.getPropertyValue("--bad-ink");
  pen.strokeStyle = bad;
  pen.fillStyle = bad;
  sums[1].forEach((n, bin) => {
    if (!n) return;
    const [x, h] = [bin * wide + ratio / 2, tall(n)];
    pen.globalAlpha = 0.35;
    pen.fillRect(x, middle, wide - ratio, h);
    pen.globalAlpha = 1;
    pen.lineWidth = 1.5 * ratio;
    pen.strokeRect(x + ratio, middle + ratio, Math.max(1, wide - 3 * ratio), Math.max(1, h - 2 * ratio));
  });
  pen.globalAlpha = 0.5;
  pen.fillStyle = style.getPropertyValue("--quiet");
  pen.fillRect(0, middle - ratio / 2, canvas.width, ratio);
  pen.globalAlpha = 1;
};

const place = (line, score) => { line.style.transform = `translateX(${across(score) * 100}%)`; };

/** Sets the threshold; it is shown with the next frame. */
const move = (to) => {
  threshold = Math.fround(Math.min(range.high, Math.max(range.low, to)));
  if (asked) return;
  asked = true;
  requestAnimationFrame(show);
};

const lines = { now: page.querySelector(".line-now"), fresh: page.querySelector(".line-new") };
const zoned = [...page.querySelectorAll(".zone")];

const show = () => {
  asked = false;
  const text = written(threshold);
  slider.value = threshold;
  slider.setAttribute("aria-valuetext", text);
  if (document.activeElement !== value) value.value = text;
  place(lines.fresh, threshold);
  place(lines.now, known.rule.value);
  const { escapes, rejects } = count(scores, threshold, known.above);
  const [bad, good] = [scores.defective.length, scores.good.length];
  el("escapes").textContent = bad ? `${say("of", { x: escapes, n: bad })} (≤ ${percent(bound(known.escapes, "at_most", escapes))})` : "–";
  el("escapes-bound").textContent = bad ? "" : say("none_defective");
  el("rejects").textContent = good ? `${say("of", { x: rejects, n: good })} (≤ ${percent(bound(known.false_rejects, "at_most", rejects))})` : "–";
  el("rejects-bound").textContent = !good ? say("none_good") : rejects === 0 ? "" : say("interval", {
    seen: percent(rejects / good),
    lower: percent(bound(known.false_rejects, "lower", rejects)),
    upper: percent(bound(known.false_rejects, "upper", rejects)),
  });
  showClaim(escapes);
  const is_new = threshold !== Math.fround(known.rule.value);
  if (el("proposed")) {
    el("proposed").value = text;
    el("change").textContent = is_new ? `${written(known.rule.value)} → ${text}` : "";
    el("propose").querySelector("button").disabled = !is_new;
  }
  later();
};

const showClaim = (escapes) => {
  const promised = Number(claim.value);
  const row = known.needed.find((row) => row.escape_max === promised);
  const found = known.suggested.find((row) => row.escape_max === promised);
  if (!row) return;
  const have = known.certify.defective;
  const need = row.pieces[0];
  const enough = have >= need ? say("enough", { have }) : say("more", { have, more: need - have });
  const with_some = escapes > 0 && row.pieces[escapes] ? ` · ${say("claim_with", { need: row.pieces[escapes], x: escapes })}` : "";
  const says = `${say("claim", { claim: percent(promised), need })} (${enough})${with_some}`;
  if (el("claim-says").textContent !== says) el("claim-says").textContent = says;
  const zones = found?.zones;
  const [from, to] = zones ? [zones.review_from, zones.reject_from] : [threshold, threshold];
  const ends = [[0, across(from)], [across(from), across(to)], [across(to), 1]];
  ends.forEach(([a, b], i) => { zoned[i].style.transform = `translateX(${a * 100}%)`; zoned[i].style.clipPath = `inset(0 ${(1 - (b - a)) * 100}% 0 0)`; zoned[i].classList.toggle("is-narrow", b - a < 0.12); });
  el("suggest").disabled = found?.value === undefined;
  el("zones").textContent = zones ? say("zones", { review: written(from), reject: written(to) }) : say("no_zones");
};

// Parts that flip are asked for when the hand rests.
let timer = 0;
let request = null;
const later = () => { clearTimeout(timer); timer = setTimeout(flips, 180); };
const flips = async () => {
  request?.abort();
  request = new AbortController();
  const [now, then] = [known.rule.value, threshold].map((t) => count(scores, t, known.above));
  const [good, bad] = [Math.abs(then.rejects - now.rejects), Math.abs(then.escapes - now.escapes)];
  el("flips-says").textContent = good + bad ? say("flip_some", { n: good + bad, good, bad }) : say("flip_none");
  if (!(good + bad)) return el("flips").replaceChildren();
  try {
    const answer = await fetch(`${api}/flips?to=${written(threshold)}`, { signal: request.signal });
    if (!answer.ok) throw new Error((await answer.json()).error);
    el("flips").replaceChildren(...(await answer.json()).parts.map(card));
    lost("");
  } catch (error) {
    if (error.name !== "AbortError") lost(`${texts.lost} ${error.message}`);
  }
};

const card = (part) => {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `/parts/${part.part_id}?at=${part.at}`;
  link.className = `flip flip-${part.truth}`;
  const img = new Image(112, 84);
  img.alt = "";
  img.loading = "lazy";
  img.src = part.thumb;
  img.addEventListener("error", () => {
    const gap = document.createElement("span");
    gap.className = "no-thumb";
    gap.textContent = texts.no_picture;
    img.replaceWith(gap);
  });
  const lines = [`${texts.part} ${part.part_id}`, texts[part.truth], texts[`flip_${part.would}`]];
  const score = part.score < 1e30 ? Number(part.score.toPrecision(4)) : "";
  lines[0] += score === "" ? "" : ` · ${score}`;
  link.append(img, ...lines.map((text, i) => Object.assign(document.createElement("span"), { textContent: text, className: ["flip-part", "flip-truth", "flip-would"][i] })));
  item.append(link);
  return item;
};

const flip = (up) => {
  const to = nextFlip(scores, threshold, known.above, up);
  if (to !== null) move(to);
};
/** Steps lie on round numbers, wherever one starts from. */
const step = (steps) => {
  const at = threshold / range.step;
  const from = steps > 0 ? Math.floor(at + 1e-4) : Math.ceil(at - 1e-4);
  move(Number(((from + steps) * range.step).toPrecision(9)));
};

const keys = {
  ArrowLeft: (event) => step(event.shiftKey ? -10 : -1),
  ArrowDown: (event) => step(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => step(event.shiftKey ? 10 : 1),
  ArrowUp: (event) => step(event.shiftKey ? 10 : 1),
  "[": () => flip(false),
  "]": () => flip(true),
  p: () => el("reason")?.focus(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not(#slider), textarea, select");
  const act = keys[event.key];
  if (!known || !act || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act(event);
});
document.querySelectorAll("[data-key]").forEach((button) => button.addEventListener("click", () => known && keys[button.dataset.key]({})));
slider.addEventListener("input", () => known && move(Number(slider.value)));
value.addEventListener("input", () => known && value.value !== "" && move(Number(value.value)));
value.addEventListener("blur", () => known && move(threshold));
claim.addEventListener("change", () => known && move(threshold));
el("back").addEventListener("click", () => known && move(known.rule.value));
el("suggest").addEventListener("click", () => {
  const found = known?.suggested.find((row) => row.escape_max === Number(claim.value));
  if (found?.value !== undefined) move(found.value);
});
new ResizeObserver(() => known && paint()).observe(el("plot"));
// Something was proposed or decided: an approved one is what the recipe has now.
document.addEventListener("htmx:after:swap", (event) => {
  if (!event.target.closest?.("#proposals") && event.detail?.ctx?.target?.id !== "proposals") return;
  const at = threshold;
  load().then(() => move(at)).catch((error) => lost(`${texts.lost} ${error.message}`));
});
load().catch((error) => lost(`${texts.lost} ${error.message}`));
