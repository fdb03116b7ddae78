// On a phone the sidebar lies over the page. It closes when the page shows what was asked for in it;
// after another network or dataset it stays open, for there may be more to choose.

const NARROW = 768; // pixels; the sidebar of Streamlit lies over pages that are narrower

let before = null; // outlives the pages

export default function ({ data }) {
  const went = before && before.chosen === data.chosen && before.shown !== data.shown;
  before = data;
  if (!went || window.innerWidth >= NARROW) return;
  document.querySelector("[data-testid=stSidebarCollapseButton] [aria-expanded=true]")?.click();
}
