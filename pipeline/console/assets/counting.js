// Counting on sorted scores: what the tuning page does with each move of the slider, in microseconds.

const view = new DataView(new ArrayBuffer(4));
const neighbour = (value, up) => {
  if (value === 0) value = up ? 0 : -0;
  view.setFloat32(0, value);
  const bits = view.getInt32(0);
  if (value === 0) view.setInt32(0, up ? 1 : 0x80000001 | 0);
  else view.setInt32(0, bits + (value > 0 === up ? 1 : -1));
  return view.getFloat32(0);
};
/** The next 32-bit number, as recipes hold them. */
export const nextUp = (value) => neighbour(value, true);
export const nextDown = (value) => neighbour(value, false);

/** The shortest text that reads back as the same 32-bit number. */
export const written = (value) => {
  for (let digits = 1; digits < 10; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === Math.fround(value)) return String(text);
  }
  return String(value);
};

/** How many of `sorted` lie below `value`, or with `equal` at it too. */
export const below = (sorted, value, equal) => {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value || (equal && sorted[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** scores.bin → ascending scores of good and of defective pieces, and of all. */
export const read = (buffer) => {
  const n = buffer.byteLength / 5;
  if (!Number.isInteger(n)) throw new Error("scores.bin was cut short");
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  const all = new Float32Array(n);
  if (little) all.set(new Float32Array(buffer, 0, n));
  else for (let i = 0; i < n; i++) all[i] = new DataView(buffer).getFloat32(4 * i, true);
  const labels = new Uint8Array(buffer, 4 * n, n);
  const bad = labels.reduce((sum, label) => sum + label, 0);
  const [good, defective] = [new Float32Array(n - bad), new Float32Array(bad)];
  let [g, d] = [0, 0];
  for (let i = 0; i < n; i++) labels[i] ? (defective[d++] = all[i]) : (good[g++] = all[i]);
  return { all, good, defective };
};

/** What a threshold does: defective pieces that pass, good ones that are rejected. `above`: one at it passes. */
export const count = ({ good, defective }, threshold, above) => ({
  escapes: below(defective, threshold, above),
  rejects: good.length - below(good, threshold, above),
});

/** The threshold at which the next piece flips, or null: up lets the next one pass, down rejects it. */
export const nextFlip = ({ all }, threshold, above, up) => {
  const passing = below(all, threshold, above);
  const score = up ? all[passing] : all[passing - 1];
  if (score === undefined || !Number.isFinite(score)) return null;
  if (up) return above ? score : nextUp(score);
  return above ? nextDown(score) : score;
};

/** A bound from the station's table; straight lines between its rows. */
export const bound = (table, column, events) => {
  const at = below(table.events, events, false);
  if (table.events[at] === events || at === 0) return table[column][at];
  const [left, right] = [table.events[at - 1], table.events[at]];
  const part = (events - left) / (right - left);
  return table[column][at - 1] + part * (table[column][at] - table[column][at - 1]);
};

/** Three digits that mean something, never "0 %" for what is more than that. */
export const percent = (share) => {
  const value = share * 100;
  if (value === 0) return "0 %";
  const digits = value >= 1 ? 2 : Math.min(12, 2 - Math.floor(Math.log10(value)));
  return `${value.toFixed(digits)} %`;
};
