// One press of Back undoes one action of the person, and the page stands where it was scrolled to.
//
// Streamlit makes an entry of the browser's history for each step to another page: the old page with
// the new parameters, the new page, the new page with all its parameters. Only the first step after
// a click or a key press makes an entry here; those that follow replace it.

const LOOKS = 10000; // milliseconds that a page may take until it is as tall as it was
const ACTIONS = ["pointerdown", "click", "keydown"];

const page = () => document.querySelector("[data-testid=stMain]");

function scrollTo(place, moved) {
  const end = performance.now() + LOOKS;
  const timer = setInterval(() => {
    if (moved() || performance.now() > end) return clearInterval(timer);
    const main = page();
    if (main && main.scrollHeight - main.clientHeight >= place) main.scrollTop = place;
  }, 100);
}

function watch() {
  let acted = false;
  let actions = 0;
  let scrolled = 0;
  const act = () => {
    acted = true;
    actions += 1;
    scrolled = page()?.scrollTop ?? 0;
  };
  for (const name of ACTIONS) window.addEventListener(name, act, { capture: true });
  window.addEventListener("wheel", () => { actions += 1; }, { passive: true });
  window.addEventListener("popstate", (event) => {
    acted = false;
    const before = actions;
    const place = event.state?.scrolled;
    if (place) scrollTo(place, () => actions !== before);
  });
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    if (!acted) return history.replaceState(state, title, url);
    acted = false;
    history.replaceState({ ...history.state, scrolled }, "");
    return push(state, title, url);
  };
}

export default function () {
  const shown = document.documentElement.dataset; // outlives this component
  if (shown.history) return;
  shown.history = "watched";
  watch();
}
