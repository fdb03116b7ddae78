// Asks Python for the photograph of an enlarged tile, and hands it to the tile's dialog. The two are
// separate components of one page: they talk by events of the window.

const PAUSE = 150; // milliseconds without another question before Python is asked

export default function ({ data, parentElement, setTriggerValue }) {
  const state = parentElement.photograph ??= { timer: 0 };
  state.ask = (text) => setTriggerValue("asked", text);
  if (data.asked) window.dispatchEvent(new CustomEvent("photograph-there", { detail: data }));
  if (state.listening) return state.stop;
  const asked = (event) => {
    event.preventDefault(); // tells that somebody answers
    clearTimeout(state.timer);
    state.timer = setTimeout(() => state.ask(event.detail), PAUSE);
  };
  window.addEventListener("photograph-asked", asked);
  state.listening = true;
  state.stop = () => {
    clearTimeout(state.timer);
    window.removeEventListener("photograph-asked", asked);
    state.listening = false;
  };
  return state.stop;
}
