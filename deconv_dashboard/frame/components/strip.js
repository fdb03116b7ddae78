// The network as a strip: one cell a layer, the grey square is what one location of it sees.

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
  const side = Math.max(2, Math.min(26, (26 * layer.field) / 224));
  field.style.width = field.style.height = `${side}px`;
  image.append(field);
  made.append(element("b", "", layer.short), image, element("i", "", String(layer.field)));
  made.addEventListener("click", () => send(layer.name));
  return made;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const had = parentElement.activeElement?.dataset?.layer;
  parentElement.querySelector(".strip")?.remove();
  const strip = element("div", "strip");
  strip.setAttribute("role", "group");
  strip.setAttribute("aria-label", "Layers of the network");
  data.blocks.forEach((block) => {
    const box = element("div", "block");
    box.style.setProperty("--cells", block.layers.length);
    const cells = element("div", "cells");
    block.layers.forEach((layer) => {
      cells.append(cell(layer, data.chosen, (name) => setTriggerValue("picked", name)));
    });
    box.append(element("div", "size", block.size), cells);
    strip.append(box);
  });
  parentElement.append(strip);
  if (had) strip.querySelector(`[data-layer="${had}"]`)?.focus({ preventScroll: true });
}
