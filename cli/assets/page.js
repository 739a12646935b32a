// The page works without this script, which adds live updates and changes the page in place.

import { localize } from "./times.js";

const $ = (id) => document.getElementById(id);
const MOST_LINES = 200;

// Live updates

let events, reconnection;

function live() {
  // The page over an archive is not live.
  if (!$("live")) return;
  clearTimeout(reconnection);
  events?.close();
  const { query, newest, older } = $("list").dataset;
  if (older !== undefined) {
    $("live").className = $("live").textContent = "";
    return;
  }
  const since = `${query ? `${query}&` : "?"}after=${newest}`;
  events = new EventSource(`/deliveries/live${since}`);
  const showState = (state) => {
    $("live").className = state;
    $("live").textContent = state === "on" ? document.body.dataset.live : document.body.dataset.offline;
  };
  events.onopen = () => showState("on");
  events.onerror = () => {
    showState("off");
    // A browser does not reconnect after a response that is not an event stream, such as a proxy's error page.
    if (events.readyState === EventSource.CLOSED) reconnection = setTimeout(live, 3000);
  };
  events.addEventListener("delivery", (event) => add(event.data));
  events.addEventListener("reset", () => location.reload());
  events.addEventListener("totals", (event) => {
    const focused = $("totals").contains(document.activeElement) && document.activeElement.getAttribute("href");
    $("totals").innerHTML = event.data;
    if (focused) $("totals").querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    $("list").dataset.newest = event.lastEventId;
  });
}

function add(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const row = template.content.querySelector("a");
  // The page has this row already, because it was loaded again in between.
  if (!row || $(row.id)) return;
  row.classList.add("new");
  localize(row);
  $("rows").prepend(row);
  // The link has a path only once it is in the document.
  if (location.pathname === row.pathname) row.setAttribute("aria-current", "true");
  $("none")?.remove();
  while ($("rows").children.length > MOST_LINES) $("rows").lastElementChild.remove();
}

// Navigation in place: fetches the page of a URL, and replaces the parts of this page with its parts.

let requests = 0;

async function show(url, { push = true, list = false, focus = true } = {}) {
  const request = ++requests;
  const main = document.querySelector("main");
  const waiting = setTimeout(() => main.setAttribute("aria-busy", "true"), 400);
  const headers = { accept: "text/html" };
  // The server need not read the list again.
  if (!list) headers["x-requested-with"] = "delivery";
  let text;
  try {
    text = await (await fetch(url, { headers })).text();
  } catch {
    location.href = url;
    return;
  } finally {
    clearTimeout(waiting);
    if (request === requests) main.removeAttribute("aria-busy");
  }
  // The user has followed another link in the meantime.
  if (request !== requests) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  const delivery = page.getElementById("delivery");
  if (!delivery) {
    location.href = url;
    return;
  }
  if (list) {
    const lines = document.querySelector(".lines");
    const focused = lines.contains(document.activeElement) && document.activeElement.id;
    for (const part of ["rows", "none"]) $(part)?.remove();
    lines.append(page.getElementById("rows"));
    if (focused) $(focused)?.focus({ preventScroll: true });
    const none = page.getElementById("none");
    if (none) lines.after(none);
    for (const part of [".pages", "#range", "#lags"]) document.querySelector(part)?.replaceWith(page.querySelector(part));
    const [here, there] = [$("list").dataset, page.getElementById("list").dataset];
    for (const name of ["query", "newest", "older"]) {
      if (name in there) here[name] = there[name];
      else delete here[name];
    }
    $("reset").hidden = page.getElementById("reset").hidden;
    for (const part of ["#send form", "#replay"]) {
      const form = document.querySelector(part);
      if (form) form.action = page.querySelector(part).getAttribute("action");
    }
    // Not while the user types: the input is newer than this response.
    if (!push) for (const { name, value } of page.getElementById("filter").elements) if (name) filter.elements[name].value = value;
    localize($("list"));
    live();
  }
  $("delivery").replaceWith(delivery);
  $("notice").replaceWith(page.getElementById("notice"));
  main.className = page.querySelector("main").className;
  localize(delivery);
  const path = new URL(url, location.href).pathname;
  for (const row of $("rows").children) {
    if (row.pathname === path) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  if (push) history.pushState(null, "", url);
  if (focus && !delivery.hidden) {
    delivery.focus({ preventScroll: true });
    // On a phone the delivery replaces the list, which may be scrolled down.
    if (!$("list").checkVisibility()) scrollTo(0, 0);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if ("copy" in link.dataset) {
    event.preventDefault();
    copy(link);
  } else if (link.matches("a.line, .back")) {
    event.preventDefault();
    const row = document.querySelector("a.line[aria-current]");
    show(link.href, { focus: link.matches("a.line") }).then(() => link.matches(".back") && row?.focus());
  }
});

addEventListener("popstate", () => show(location.href, { push: false, list: true }));

// Filters

const filter = $("filter");

function apply() {
  const wanted = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value));
  const query = wanted.size ? `?${wanted}` : "";
  const open = location.pathname.match(/^\/deliveries\/[^/]+$/)?.[0] ?? "/deliveries";
  show(open + query, { list: true, focus: false });
}

let pause;
filter.addEventListener("input", (event) => {
  clearTimeout(pause);
  pause = setTimeout(apply, event.target.tagName === "SELECT" ? 0 : 250);
});
filter.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(pause);
  apply();
});

// Sources of the selected sample's provider

const [sample, source] = ["sample", "source"].map((name) => $("send")?.querySelector(`[name=${name}]`));

function sources() {
  const provider = sample.value.split("/")[0];
  let first;
  for (const group of source.children) {
    const fits = group.label === provider;
    group.hidden = group.disabled = !fits;
    if (fits) first = [...group.children].find((option) => option.value === "default") ?? group.firstElementChild;
  }
  if (source.selectedOptions[0]?.parentNode.disabled ?? true) first.selected = true;
}

sample?.addEventListener("change", sources);

// Copying

async function copy(link) {
  const label = (link.dataset.copy ||= link.textContent);
  try {
    // Called right after the click, because browsers allow writing to the clipboard only for a short time after it.
    const text = fetch(link.href).then((response) => response.text());
    await navigator.clipboard.writeText(await text);
    link.textContent = document.body.dataset.copied;
  } catch {
    link.textContent = document.body.dataset.notCopied;
    open(link.href, "_blank", "noopener");
  }
  setTimeout(() => { link.textContent = label; }, 2000);
}

// Keys: j and k (and the arrows, on a line) move through the list, / focuses the search, Escape returns to the list.

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  const writing = event.target.matches("input, select, textarea");
  const line = event.target.closest("a.line");
  if (event.key === "Escape") {
    if ($("send")?.open) $("send").open = false;
    else if (!$("delivery").hidden) document.querySelector("#delivery .back").click();
  } else if (event.key === "/" && !writing) {
    event.preventDefault();
    filter.elements.q.focus();
  } else if ((!writing && ["j", "k"].includes(event.key)) || (line && ["ArrowDown", "ArrowUp"].includes(event.key))) {
    event.preventDefault();
    const from = line ?? document.querySelector("a.line[aria-current]");
    const to = ["j", "ArrowDown"].includes(event.key) ? from?.nextElementSibling : from?.previousElementSibling;
    (from ? to : $("rows").firstElementChild)?.focus();
  }
});

// The language link returns to the current view.
$("language").addEventListener("click", () => {
  const url = new URL($("language").href);
  url.searchParams.set("back", location.pathname + location.search);
  $("language").href = url;
});

localize(document);
if (sample) sources();
live();
