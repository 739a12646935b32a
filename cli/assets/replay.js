// The page of a replay works without this script, which shows the progress in place.

import { localize } from "./times.js";

const state = document.getElementById("state");

function replace(html) {
  const focused = state.contains(document.activeElement) && document.activeElement.tagName;
  state.innerHTML = html;
  localize(state);
  if (focused) state.querySelector(focused)?.focus();
}

if ("moving" in state.dataset) {
  const events = new EventSource("/replay/live");
  events.addEventListener("state", (event) => replace(event.data));
  events.addEventListener("end", (event) => {
    // The browser would reconnect to a stream that has ended.
    events.close();
    replace(event.data);
  });
}

// A second click does not confirm again.
document.addEventListener("submit", (event) => {
  setTimeout(() => event.target.querySelector("button").disabled = true);
});

// The browser would show buttons that it remembers as disabled.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button")) button.disabled = false;
});

localize(document);
