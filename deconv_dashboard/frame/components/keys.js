// Arrow keys: left and right change the map, up and down the layer. Every press is counted here,
// at once; Python is told the first goal of a burst and the last, so that none is lost and none
// is computed in vain.

// After a click on a tab or a choice with the mouse, arrows belong to the page again. Who came there
// by keyboard goes on with arrows from tab to tab.
const CLICKED = "[role=tablist], [role=radiogroup]";

const QUIET = 200; // milliseconds without a press that end a burst
const TYPING = "input, textarea, select, [contenteditable=true], [role=combobox], [role=listbox], "
  + "[role=slider], [role=grid], [role=radiogroup], [role=tablist], [role=menu], [role=dialog], "
  + "[data-testid=stDataFrame], [role=application]";

function moved(goal, key, layers) {
  const place = layers.findIndex((layer) => layer.name === goal.layer);
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] }[key];
  const next = layers[Math.min(layers.length - 1, Math.max(0, place + step[0]))];
  const map = Math.min(next.maps - 1, Math.max(0, goal.map + step[1]));
  return { layer: next.name, map };
}

const same = (one, other) => one && other && one.layer === other.layer && one.map === other.map;

export default function ({ data, parentElement, setTriggerValue }) {
  let state = parentElement.keys;
  if (!state) {
    const label = document.createElement("div");
    label.className = "goal";
    label.hidden = true;
    label.setAttribute("role", "status");
    parentElement.append(label);
    state = parentElement.keys = { goal: null, sent: null, sentAt: 0, timer: 0, label };
  }
  state.data = data;
  state.tell = (goal) => setTriggerValue("goal", goal);
  const shown = { layer: data.layer, map: data.map };
  if (!state.timer && (same(state.sent, shown) || performance.now() - state.sentAt > 4000)) {
    state.goal = null;
    state.label.hidden = true;
  }
  if (state.listening) return state.stop;

  const flush = () => {
    state.timer = 0;
    if (!(parentElement.host ?? parentElement).isConnected) return; // the page was left
    state.sent = state.goal;
    state.sentAt = performance.now();
    state.tell(`${state.goal.layer}/${state.goal.map}`);
  };
  const pressed = (event) => {
    if (!/^Arrow(Left|Right|Up|Down)$/.test(event.key) || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const origin = event.composedPath()[0];
    if (origin instanceof Element && origin.closest(TYPING)) return;
    if (!state.data.maps && /Left|Right/.test(event.key)) return;
    event.preventDefault();
    const now = { layer: state.data.layer, map: state.data.map };
    const goal = moved(state.goal || now, event.key, state.data.layers);
    if (same(goal, state.goal || now)) return;
    const burst = state.timer || performance.now() - state.sentAt < 2 * QUIET;
    state.goal = goal;
    state.label.textContent = !state.data.maps
      ? goal.layer : `${goal.layer} · feature map ${goal.map}`;
    state.label.hidden = false;
    clearTimeout(state.timer);
    state.timer = 0;
    if (burst) state.timer = setTimeout(flush, QUIET);
    else flush();
  };
  const clicked = (event) => {
    if (!event.detail) return; // by keyboard
    setTimeout(() => {
      const focused = document.activeElement;
      if (focused && focused.closest(CLICKED)) focused.blur();
    });
  };
  window.addEventListener("keydown", pressed);
  window.addEventListener("click", clicked);
  state.listening = true;
  state.stop = () => {
    window.removeEventListener("keydown", pressed);
    window.removeEventListener("click", clicked);
    state.listening = false;
  };
  return state.stop;
}
