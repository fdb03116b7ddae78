// The network as a strip: one cell a layer, the grey square is what one location of it sees.
// Layers far from the chosen one are behind closed buttons (strip_stages.py).

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function cell(layer, chosen, send) {
  const made = element("button", layer.name === chosen ? "cell chosen" : "cell");
  made.type = "button";
  made.title = layer.title;
  made.setAttribute("aria-label", `${layer.name}, ${layer.title}`);
  made.setAttribute("aria-pressed", String(layer.name === chosen));
  made.dataset.layer = layer.name;
  const image = element("div", "image");
  const field = element("div", "field");
  const side = (share) => `${Math.max(2, Math.min(26, 26 * share))}px`;
  field.style.height = side(layer.rows);
  field.style.width = side(layer.columns);
  image.append(field);
  made.append(element("b", "", layer.short), image, element("i", "", layer.field));
  made.addEventListener("click", () => send(layer.name));
  return made;
}

// Several layers behind one button: it opens the first of them.
function closed(block, send) {
  const made = element("button", "cell closed");
  made.type = "button";
  made.title = block.title;
  made.setAttribute("aria-label", block.title);
  made.setAttribute("aria-expanded", "false");
  made.dataset.opens = block.name;
  made.append(element("b", "", block.short), element("i", "", block.field));
  made.addEventListener("click", () => send(block.name));
  return made;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const had = parentElement.activeElement?.dataset?.layer;
  parentElement.querySelector(".strip")?.remove();
  const strip = element("div", "strip");
  const all = data.stages.flatMap((stage) => stage.cells);
  strip.classList.toggle("free", all.some((one) => one.closed || one.short.length > 5));
  strip.setAttribute("role", "group");
  strip.setAttribute("aria-label", "Layers of the network");
  const send = (name) => setTriggerValue("picked", name);
  data.stages.forEach((stage) => {
    const box = element("div", stage.heading ? "block" : "block shut");
    box.style.setProperty("--cells", stage.cells.length);
    const cells = element("div", "cells");
    stage.cells.forEach((one) => {
      cells.append(one.closed ? closed(one, send) : cell(one, data.chosen, send));
    });
    box.append(element("div", "size", stage.heading || "\u00a0"), cells);
    strip.append(box);
  });
  parentElement.append(strip);
  const more = () => {
    const right = strip.scrollWidth - strip.clientWidth - strip.scrollLeft;
    strip.classList.toggle("more-left", strip.scrollLeft > 2);
    strip.classList.toggle("more-right", right > 2);
  };
  strip.addEventListener("scroll", more, { passive: true });
  new ResizeObserver(more).observe(strip);
  const chosen = strip.querySelector(".chosen");
  if (chosen && strip.scrollWidth > strip.clientWidth) {
    strip.scrollLeft = chosen.offsetLeft - strip.offsetLeft - strip.clientWidth / 2;
  }
  if (had) strip.querySelector(`[data-layer="${had}"]`)?.focus({ preventScroll: true });
}
