// The part page: what is drawn over its pictures, and its keys.

const pictures = document.querySelector(".pictures");
const buttons = [...document.querySelectorAll("[data-marks]")];
const modes = buttons.map((button) => button.dataset.marks);

/** Hottest where the model was surest, against the hottest there is. */
const shades = [...document.querySelectorAll(".found-heat")];
const hottest = Math.max(1e-9, ...shades.map((shade) => Number(shade.dataset.score)));
for (const shade of shades) {
  const heat = Math.max(0, Number(shade.dataset.score) / hottest);
  // Black-body colours: told apart by brightness too.
  shade.setAttribute("fill", `rgb(${Math.round(255 * Math.min(1, heat * 1.5))} ${Math.round(230 * Math.max(0, heat - 0.35) / 0.65)} ${Math.round(60 * (1 - heat))})`);
  shade.setAttribute("fill-opacity", (0.25 + 0.4 * heat).toFixed(2));
}

const show = (mode) => {
  pictures.dataset.marks = mode;
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.marks === mode));
};
for (const button of buttons) button.addEventListener("click", () => show(button.dataset.marks));

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "h" && modes.length) show(modes[(modes.indexOf(pictures.dataset.marks ?? "outline") + 1) % modes.length]);
  if (event.key === "r") document.getElementById("replay")?.requestSubmit();
});
