// Scrolls to what is shown of the chosen tile, once after each click on a tile.

export default function ({ data }) {
  const page = document.documentElement.dataset; // outlives this component, as tabs come and go
  if (!data.clicked || page.tileClicked === data.clicked) return;
  page.tileClicked = data.clicked;
  requestAnimationFrame(() => {
    const shown = document.querySelector(`.st-key-${data.place}`);
    if (!shown) return;
    shown.style.scrollMarginTop = "3.75rem"; // of Streamlit's header
    const fits = shown.clientHeight < window.innerHeight;
    shown.scrollIntoView({ block: fits ? "nearest" : "start" });
  });
}
