// Control charts: uPlot draws lines and limits, rule hits as filled rings, notes as dashed uprights. A click on a point takes
// its part into the note's form.

const page = document.getElementById("charts");
const told = page.dataset.charts ? JSON.parse(page.dataset.charts) : { charts: {}, notes: [] };
const [partWord, valueWord, lowerWord, centreWord, upperWord, meanWord] = page.dataset.labels.split("|");
const style = getComputedStyle(document.documentElement);
const ink = (name) => style.getPropertyValue(name).trim();

const noteOn = (part) => {
  const field = document.getElementById("note-part");
  if (!field) return;
  field.value = part;
  const says = document.getElementById("note-says");
  says.focus();
  says.scrollIntoView({ block: "center", behavior: "instant" });
};

const draw = (host) => {
  const name = host.dataset.chart;
  const chart = told.charts[name];
  if (!chart || !chart.values.length) return;
  // Score and CUSUM go by the samples of the share.
  const parts = chart.parts ?? chart.values.map((_, at) => told.charts.share?.parts[at] ?? at + 1);
  const x = chart.values.map((_, at) => at);
  const line = (label, values, stroke, more = {}) => (values?.length ? [{ label, stroke, width: 1.5, points: { show: false }, ...more }, values] : null);
  const limit = { dash: [6, 4], width: 1 };
  const hit = new Map(chart.hits.map(({ at, rule }) => [at, rule]));
  const rows = [
    line(valueWord, chart.values, ink("--accent"), { points: { show: x.length < 200, size: 5 } }),
    line(meanWord, chart.means, ink("--quiet"), { width: 1 }),
    line(lowerWord, chart.lower, ink("--warn-ink"), limit),
    line(centreWord, chart.centre, ink("--quiet"), { width: 1 }),
    line(upperWord, chart.upper, ink("--warn-ink"), limit),
  ].filter(Boolean);
  const marks = (plot) => {
    const pen = plot.ctx;
    const ratio = window.devicePixelRatio || 1;
    pen.save();
    for (const { part } of told.notes) {
      const at = parts.findLastIndex((first) => first <= part);
      if (at < 0 || (at === parts.length - 1 && part > parts[at] + (parts[1] - parts[0] || 1))) continue;
      const across = plot.valToPos(at, "x", true);
      pen.strokeStyle = ink("--ink");
      pen.setLineDash([3 * ratio, 3 * ratio]);
      pen.beginPath();
      pen.moveTo(across, plot.bbox.top);
      pen.lineTo(across, plot.bbox.top + plot.bbox.height);
      pen.stroke();
    }
    pen.setLineDash([]);
    pen.font = `${11 * ratio}px sans-serif`;
    pen.textAlign = "center";
    for (const [at, rule] of hit) {
      const [across, up] = [plot.valToPos(at, "x", true), plot.valToPos(chart.values[at], "y", true)];
      pen.fillStyle = ink("--bad-ink");
      pen.beginPath();
      pen.arc(across, up, 4.5 * ratio, 0, 2 * Math.PI);
      pen.fill();
      pen.fillText(rule, across, Math.max(plot.bbox.top + 10 * ratio, up - 8 * ratio));
    }
    pen.restore();
  };
  const axis = { stroke: ink("--quiet"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1 } };
  const plot = new uPlot({
    width: host.clientWidth,
    height: 260,
    scales: { x: { time: false } },
    legend: { live: true },
    axes: [{ ...axis, values: (_, ats) => ats.map((at) => (Number.isInteger(at) ? parts[at] ?? "" : "")) }, { ...axis, size: 60 }],
    series: [{ label: partWord, value: (_, at) => parts[at] ?? "" }, ...rows.map(([series]) => series)],
    hooks: { draw: [marks] },
  }, [x, ...rows.map(([, values]) => values)], host);
  plot.over.addEventListener("click", () => { if (plot.cursor.idx != null) noteOn(parts[plot.cursor.idx]); });
  new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: 260 })).observe(host);
  host.dataset.drawn = chart.values.length;
};

for (const host of document.querySelectorAll("[data-chart]")) draw(host);
for (const button of document.querySelectorAll("[data-note]")) button.addEventListener("click", () => noteOn(button.dataset.note));
