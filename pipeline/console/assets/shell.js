// What every page needs: the session's token on each change, and a word when the station does not answer.

const token = document.querySelector('meta[name="plumb-token"]').content;

/** Headers of a change; pages that call fetch() themselves use them too. */
export const headers = () => ({ "x-plumb-token": token });

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  request.headers["x-plumb-token"] = token;
  // The menu's state renews itself, and a page that does so for hours is nobody's click.
  if (request.action.startsWith("/shell/")) request.timeout = 3000;
});

// No answer from the station: the state it had is not the state it has.
const state = document.getElementById("state");
const lost = () => {
  if (!state || state.classList.contains("lost")) return;
  state.classList.add("lost");
  state.dataset.word = state.dataset.lost;
};
document.addEventListener("htmx:error", (event) => {
  if (event.target === state || event.detail?.ctx?.sourceElement === state) lost();
});
document.addEventListener("htmx:after:swap", (event) => {
  if (event.target === state || event.detail?.ctx?.sourceElement === state) state.classList.remove("lost");
});
window.addEventListener("offline", lost);

// One menu open at a time, and Escape closes it.
const menus = [...document.querySelectorAll("details.menu")];
for (const menu of menus) {
  menu.addEventListener("toggle", () => {
    if (menu.open) menus.filter((other) => other !== menu).forEach((other) => (other.open = false));
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus.filter((menu) => menu.open)) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  menus.filter((menu) => menu.open && !menu.contains(event.target)).forEach((menu) => (menu.open = false));
});
