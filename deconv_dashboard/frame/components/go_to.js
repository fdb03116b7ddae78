// The box "Go to": G or / puts the cursor here, typing lists places, arrows choose, Enter goes.
// Python answers what was typed; answers to an older text are passed over. Enter before the answer
// is there goes to its first place. Names arrive as data and only ever become textContent.

const PAUSE = 120; // milliseconds without a key before Python is asked
const AGAIN = 3000; // milliseconds without an answer before it is asked once more
const DRAFT = 5000; // milliseconds that an unfinished text waits for the box of a new page
const TYPING = "input, textarea, select, [contenteditable=true], [role=combobox], [role=listbox], "
  + "[role=grid], [role=menu], [role=dialog], [data-testid=stDataFrame], [role=application]";

let draft = null; // what is being typed: a new page has a new box, and typing goes on there

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function built(parent) {
  const box = element("div", "box");
  const input = element("input");
  input.type = "text";
  input.placeholder = "Go to map, name, label, file";
  input.autocomplete = "off";
  input.spellcheck = false;
  input.maxLength = 200;
  const list = element("ul", "list");
  list.id = "places";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Places");
  Object.entries({
    role: "combobox", "aria-label": "Go to", "aria-autocomplete": "list",
    "aria-controls": "places", "aria-expanded": "false", "aria-keyshortcuts": "g /",
  }).forEach(([name, value]) => input.setAttribute(name, value));
  box.append(input, element("span", "key", "G"), list);
  parent.append(box);
  return { input, list, places: [], answered: "", chosen: 0, timer: 0, asked: "", waiting: false };
}

function choose(state, place) {
  const count = state.places.length;
  state.chosen = count ? (place + count) % count : 0;
  [...state.list.children].forEach((one, number) => {
    const on = count > 0 && number === state.chosen;
    one.setAttribute("aria-selected", String(on));
    if (on) {
      one.scrollIntoView({ block: "nearest" });
      state.input.setAttribute("aria-activedescendant", one.id);
    }
  });
}

function show(state) {
  state.list.replaceChildren();
  state.input.removeAttribute("aria-activedescendant");
  const open = state.typed() !== "" && state.root.activeElement === state.input;
  state.list.hidden = !open;
  state.input.setAttribute("aria-expanded", String(open));
  if (!open) return;
  if (state.answered !== state.typed()) {
    state.list.append(element("li", "none", "Searching …"));
    return;
  }
  if (!state.places.length) state.list.append(element("li", "none", "Nothing fits"));
  state.places.forEach((place, number) => {
    const row = element("li", "");
    row.id = `place-${number}`;
    row.title = place.title;
    row.setAttribute("role", "option");
    row.append(element("div", "title", place.title), element("div", "kind", place.kind));
    row.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus
    row.addEventListener("click", () => go(state, place));
    state.list.append(row);
  });
  choose(state, state.chosen);
}

function close(state) {
  draft = null;
  clearTimeout(state.timer);
  Object.assign(state, { places: [], answered: "", chosen: 0, waiting: false });
  state.input.value = "";
  state.input.blur();
  show(state);
}

function go(state, place) {
  close(state);
  state.tell("goal", place.goal);
}

function ask(state) {
  clearTimeout(state.timer);
  const text = state.typed();
  if (!text || text === state.answered) return;
  state.asked = text;
  state.tell("query", text);
  state.timer = setTimeout(() => ask(state), AGAIN);
}

function typing(state) {
  draft = { text: state.input.value, at: performance.now() };
  state.waiting = false;
  state.chosen = 0;
  clearTimeout(state.timer);
  state.timer = setTimeout(() => ask(state), PAUSE);
  show(state);
}

function pressed(state, event) {
  if (event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) choose(state, state.chosen + step);
  else if (event.key === "Escape") close(state);
  else if (event.key === "Enter" && state.typed()) {
    if (state.answered !== state.typed()) {
      state.waiting = true;
      ask(state);
    } else if (state.places.length) go(state, state.places[state.chosen]);
  } else {
    event.stopPropagation(); // letters are no keys of the page here
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function resume(state) {
  if (!draft || performance.now() - draft.at > DRAFT) return;
  state.input.value = draft.text;
  state.input.focus({ preventScroll: true });
  if (state.typed()) typing(state);
}

function left(state) {
  if (state.input.isConnected) draft = null;
  show(state);
}

function focus(state) {
  draft = { text: "", at: performance.now() };
  const place = state.input.getBoundingClientRect();
  if (place.right <= 0 || !place.width) {
    document.querySelector("[data-testid=stExpandSidebarButton]")?.click();
  }
  state.input.focus();
  state.input.select();
}

export default function ({ data, parentElement, setTriggerValue }) {
  let state = parentElement.goTo;
  if (!state) {
    state = parentElement.goTo = built(parentElement);
    state.root = state.input.getRootNode();
    state.typed = () => state.input.value.trim();
    state.input.addEventListener("input", () => typing(state));
    state.input.addEventListener("keydown", (event) => pressed(state, event));
    state.input.addEventListener("focus", () => show(state));
    state.input.addEventListener("blur", () => left(state));
    queueMicrotask(() => resume(state));
  }
  state.tell = (name, value) => setTriggerValue(name, value);
  if (data.query && data.query === state.typed() && data.query !== state.answered) {
    clearTimeout(state.timer);
    state.answered = data.query;
    state.places = data.places;
    if (state.waiting && state.places.length) go(state, state.places[0]);
    else show(state);
    state.waiting = false;
  }
  if (state.listening) return state.stop;
  const key = (event) => {
    if (!/^[gG/]$/.test(event.key) || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const origin = event.composedPath()[0];
    if (origin instanceof Element && origin.closest(TYPING)) return;
    event.preventDefault();
    focus(state);
  };
  window.addEventListener("keydown", key);
  state.listening = true;
  state.stop = () => {
    window.removeEventListener("keydown", key);
    state.listening = false;
  };
  return state.stop;
}
