// Galleries of clickable pictures, and picking a position on one picture.
// Names of files arrive as data and only ever become textContent or attributes.

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function drawn(kind, values) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  Object.entries(values).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

// Enlarged pictures keep their pixels; reduced ones are smoothed.
function sharpen(image) {
  const shown = image.clientWidth * (window.devicePixelRatio || 1);
  image.classList.toggle("pixelated", image.naturalWidth > 0 && shown > image.naturalWidth);
}

function picture(src, alt) {
  const image = element("img");
  image.alt = alt;
  image.decoding = "sync";
  image.draggable = false;
  image.addEventListener("load", () => sharpen(image));
  new ResizeObserver(() => sharpen(image)).observe(image);
  image.src = src;
  return image;
}

function makeTile(data, place, twins, pick, enlarge) {
  const leads = Boolean(data.value);
  const tile = element(leads ? "a" : "div", "tile");
  if (leads) {
    tile.tabIndex = 0;
    if (data.href) tile.href = data.href;
    else tile.setAttribute("role", "button");
    tile.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      pick(data.value);
    });
    tile.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      pick(data.value);
    });
    tile.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "z" || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      enlarge(place);
    });
  } else {
    tile.classList.add("still");
  }
  tile.classList.toggle("chosen", data.chosen);
  if (data.chosen) tile.setAttribute("aria-current", "true");
  tile.setAttribute("data-place", String(place));
  const said = [data.title, data.text, data.copies, data.alt].filter(Boolean);
  tile.setAttribute("aria-label", said.join(", "));
  const pair = element("div", "pair");
  [data.src, data.second].forEach((src, number) => {
    if (number && !src) return;
    const frame = element("div", src ? "frame" : "frame empty");
    if (src) frame.append(picture(src, number ? "" : data.alt));
    pair.append(frame);
  });
  if (data.src) pair.append(magnifier(() => enlarge(place)));
  tile.append(pair);
  if (data.title || data.text) {
    const caption = element("div", "caption");
    if (data.title) caption.append(element("div", "title", data.title));
    if (data.text) caption.append(element("div", "text", data.text));
    if (data.copies) caption.append(element("div", "copies", data.copies));
    const words = [data.title, data.text, data.copies].filter(Boolean).join(" · ");
    caption.title = data.names ? `${words}:\n${data.names}` : words;
    tile.append(caption);
  }
  if (data.legend.length) tile.append(legend(data.legend));
  const light = (on) => (twins[place] || []).forEach((t) => t.classList.toggle("twin", on));
  tile.addEventListener("pointerenter", () => light(true));
  tile.addEventListener("pointerleave", () => light(false));
  (twins[place] = twins[place] || []).push(tile);
  return tile;
}

function legend(rows) {
  const list = element("ul", "legend");
  rows.forEach(([colour, words]) => {
    const row = element("li");
    const swatch = element("span", "swatch");
    swatch.style.background = colour;
    row.append(swatch, element("span", "", words));
    row.title = words;
    list.append(row);
  });
  return list;
}

function magnifier(open) {
  const button = element("button", "magnifier");
  button.type = "button";
  button.tabIndex = -1; // the keyboard has Z
  button.title = "Enlarge (key Z)";
  button.setAttribute("aria-label", "Enlarge");
  const svg = drawn("svg", { viewBox: "0 0 24 24" });
  svg.append(drawn("path", {
    d: "M10 4a6 6 0 1 0 0 12a6 6 0 0 0 0-12M14.5 14.5L20 20M10 7.5v5M7.5 10h5",
  }));
  button.append(svg);
  button.addEventListener("click", (event) => {
    event.preventDefault();
    event.stopPropagation();
    open();
  });
  return button;
}

function button(className, text, label, press) {
  const made = element("button", className, text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  return made;
}

function figure(src, alt, words) {
  const made = element("figure");
  made.append(picture(src, alt), element("figcaption", "", words.filter(Boolean).join(" · ")));
  return made;
}

// The photograph of the tile: asked for when the tile is shown large, as it comes from the server.
// The one before stays until it is there, so that nothing moves.
function photograph() {
  const box = element("div", "photograph");
  let wanted = "";
  const draw = (event) => {
    const data = event.detail;
    if (data.asked !== wanted) return;
    const parts = [element("div", "words", data.caption)];
    if (data.src) {
      const place = element("div", "place");
      place.style.aspectRatio = `${data.width} / ${data.height}`;
      place.style.setProperty("--shape", data.width / data.height);
      const svg = drawn("svg", { viewBox: `0 0 ${data.width} ${data.height}` });
      const [left, top, right, bottom] = data.field;
      drawMarks(svg, [{ left, top, width: right - left, height: bottom - top }]);
      place.append(picture(data.src, data.caption), svg);
      parts.unshift(place);
    }
    box.replaceChildren(...parts);
    box.classList.remove("waiting");
  };
  window.addEventListener("photograph-there", draw);
  const ask = (text) => {
    wanted = text;
    const question = new CustomEvent("photograph-asked", { detail: text, cancelable: true });
    const waits = Boolean(text) && !window.dispatchEvent(question); // somebody answers
    box.classList.toggle("waiting", waits);
    if (!waits) box.replaceChildren();
    else if (!box.firstChild) box.append(element("div", "words", "Reading the photograph …"));
    return waits;
  };
  return { box, ask, stop: () => window.removeEventListener("photograph-there", draw) };
}

// One place of a grid, large: the pictures of that rank side by side, and their photograph.
// Arrow keys go through the ranks.
function enlargePlace(root, panels, panel, place) {
  const dialog = element("dialog", "large");
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-label", "Enlarged pictures");
  const pair = panel - (panel % 2); // of four panels each two are an answer
  const shown = panels.length === 4 ? [pair, pair + 1] : panels.map((_, n) => n);
  const last = panels[panel].tiles.length - 1;
  const row = element("div", "row");
  const photo = photograph();
  const said = element("span");
  const foot = element("div", "foot");
  const before = button("step", "‹", "Previous", () => show(place - 1));
  const after = button("step", "›", "Next", () => show(place + 1));
  const keys = element("span", "keys", "← → go through them, Esc closes");
  const close = button("close", "Close", "Close", () => dialog.close());
  close.autofocus = true;
  foot.append(before, said, after, keys, close);
  const show = (rank) => {
    place = Math.min(last, Math.max(0, rank));
    const tiles = shown.map((number) => [panels[number].heading, panels[number].tiles[place]]);
    row.replaceChildren(...tiles.flatMap(([heading, tile]) => [tile.src, tile.second]
      .filter(Boolean)
      .map((src) => figure(src, tile.alt, [heading, tile.title, tile.text, tile.copies]))));
    said.textContent = `${place + 1} of ${last + 1}`;
    before.disabled = place === 0;
    after.disabled = place === last;
    const there = photo.ask(tiles.map(([, tile]) => tile.photograph).find(Boolean) || "");
    dialog.classList.toggle("with-photograph", there);
  };
  dialog.append(row, photo.box, foot);
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(place + step);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    photo.stop();
    dialog.remove();
    root.querySelector(`[data-place="${place}"][data-panel="${panel}"]`)
      ?.focus({ preventScroll: true });
  });
  root.append(dialog);
  dialog.showModal();
  show(place);
}

function drawGallery(root, data, send) {
  const active = root.getRootNode().activeElement;
  const focused = active && active.dataset ? [active.dataset.place, active.dataset.panel] : null;
  const panels = element("div", data.smallest < 72 ? "panels compact" : "panels");
  panels.classList.toggle("four", data.panels.length === 4);
  panels.style.gridTemplateColumns = `repeat(${data.panelColumns}, minmax(0, 1fr))`;
  const twins = {};
  data.panels.forEach((panel, number) => {
    const box = element("section", `panel ${panel.kind}`);
    if (panel.columns && panel.heading && !panel.kind.includes("row")) {
      box.classList.add("level");
      box.style.setProperty("--rows", Math.ceil(panel.tiles.length / panel.columns));
      box.style.setProperty("--tiles", panel.tiles.length);
    }
    box.setAttribute("aria-label", panel.heading);
    if (panel.heading) {
      const heading = element("div", "heading");
      heading.append(element("b", "", panel.heading));
      box.append(heading);
    }
    const grid = element("div", "grid");
    if (!panel.kind.includes("row")) { // its columns depend on the room: see the style sheet
      grid.classList.add(panel.columns ? "fixed" : "free");
      grid.style.setProperty("--columns", panel.columns);
      grid.style.setProperty("--smallest", `${data.smallest}px`);
    }
    panel.tiles.forEach((tile, place) => {
      const large = (rank) => enlargePlace(root, data.panels, number, rank);
      const made = makeTile(tile, place, twins, (value) => send(value), large);
      made.dataset.panel = String(number);
      grid.append(made);
    });
    box.append(grid);
    panels.append(box);
  });
  root.replaceChildren(panels);
  if (focused) {
    root.querySelector(`[data-place="${focused[0]}"][data-panel="${focused[1]}"]`)
      ?.focus({ preventScroll: true });
  }
}

function drawMarks(svg, marks) {
  const strokes = [["#000", 3], ["#ffd84d", 1.5]];
  svg.replaceChildren();
  marks.forEach((mark) => strokes.forEach(([stroke, width]) => {
    const style = { stroke, "stroke-width": width, fill: "none", "vector-effect": "non-scaling-stroke" };
    if (mark.width > 0) {
      const place = { x: mark.left, y: mark.top, width: mark.width, height: mark.height };
      svg.append(drawn("rect", { ...place, ...style }));
    } else {
      const path = `M ${mark.left - 6} ${mark.top} h 12 M ${mark.left} ${mark.top - 6} v 12`;
      svg.append(drawn("path", { d: path, ...style }));
    }
  }));
}

function drawPosition(root, data, send) {
  const box = element("div", data.pickable ? "position pickable" : "position");
  const { width, height } = data;
  box.style.maxWidth = "560px";
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}` });
  drawMarks(svg, data.marks);
  const shown = picture(data.src, data.alt);
  shown.style.aspectRatio = `${width} / ${height}`;
  box.append(shown, svg);
  if (data.pickable) {
    const point = data.marks.find((mark) => mark.width === 0);
    let cross = point ? [point.left, point.top] : [width / 2, height / 2];
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", `${data.alt}. Arrow keys move the cross, Enter picks.`);
    const inside = (value, end) => Math.min(end - 1, Math.max(0, Math.floor(value)));
    box.addEventListener("click", (event) => {
      const place = box.getBoundingClientRect();
      const x = inside(((event.clientX - place.left) / place.width) * width, width);
      const y = inside(((event.clientY - place.top) / place.height) * height, height);
      send(`${x},${y}`);
    });
    box.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key === "Enter") {
        send(`${inside(cross[0], width)},${inside(cross[1], height)}`);
      } else if (moves[event.key]) {
        cross = cross.map((value, axis) => {
          return inside(value + moves[event.key][axis] * data.step, axis ? height : width);
        });
        const boxes = data.marks.filter((mark) => mark.width > 0);
        drawMarks(svg, [...boxes, { left: cross[0], top: cross[1], width: 0 }]);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
  const had = root.querySelector(".position:focus");
  root.replaceChildren(box);
  if (had) box.focus({ preventScroll: true });
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".tiles-root");
  if (!root) {
    root = element("div", "tiles-root");
    parentElement.append(root);
  }
  const send = (value) => setTriggerValue("picked", value);
  const signature = JSON.stringify(data);
  root.send = send;
  if (root.signature === signature) return;
  root.signature = signature;
  const latest = (value) => root.send(value);
  if (data.mode === "position") drawPosition(root, data, latest);
  else drawGallery(root, data, latest);
}
