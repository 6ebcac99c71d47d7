// One event stream for the page. An element with data-live="alerts board" gets the event `live` when one of its topics
// changed, at once and then at most once a second, the last change never lost; hx-trigger="live" does the rest.
(() => {
  const INTERVAL_MS = 1000;
  const HIDDEN_MS = 5000;
  const TOPICS = ["alerts", "board", "dead_letters", "runs", "catalogue"];
  const url = document.body.dataset.liveUrl;
  if (!url || !window.EventSource) return;

  const last = new WeakMap();
  const waiting = new WeakMap();
  let stream = null;
  let missed = false;
  let hiding = 0;

  const refresh = (element) => {
    if (waiting.has(element)) return;
    const wait = Math.max(0, (last.get(element) ?? 0) + INTERVAL_MS - performance.now());
    waiting.set(element, setTimeout(() => {
      waiting.delete(element);
      if (!element.isConnected) return;
      // What a person is filling in or has under the cursor of a form is not replaced beneath their hands.
      if (element.querySelector("form[data-busy], select:focus, input:focus, textarea:focus")) {
        element.dataset.stale = "";
        return;
      }
      last.set(element, performance.now());
      if (asked(element)) refresh(element);
      else htmx.trigger(element, "live");
    }, wait));
  };

  // What was asked for from within is answered first: an answer whose form is gone would tell nobody what it did.
  const asked = (element) => element.querySelector("form.htmx-request, button.htmx-request") !== null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const element = event.target;
    if (event.detail.requestConfig?.triggeringEvent?.type !== "live" || !asked(element)) return;
    event.detail.shouldSwap = false;
    refresh(element);
  });

  const changed = (topic) => {
    for (const element of document.querySelectorAll("[data-live]")) {
      if (topic === null || element.dataset.live.split(" ").includes(topic)) refresh(element);
    }
  };

  const mark = (state, words) => {
    const live = document.querySelector("[data-live-mark]");
    if (!live) return;
    live.classList.toggle("is-live", state === "live");
    live.classList.toggle("is-lost", state === "lost");
    const use = live.querySelector("use");
    const shape = { live: "ok", lost: "warn" }[state] ?? "unknown";
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#lamp-${shape}`));
    live.querySelector("[data-live-words]").textContent = words;
  };

  // Runs change only when telemetry arrives, so their topic carries the time of the last event.
  const arrived = (event) => {
    const last = document.querySelector("[data-live-last]");
    const at = JSON.parse(event.data).at;
    if (!last || Number.isNaN(Date.parse(at))) return;
    const time = last.querySelector("time");
    time.dateTime = at;
    for (const name of ["exact", "utc"]) delete time.dataset[name];
    time.removeAttribute("title");
    time.dataset.tip = new Date(at).toUTCString();
    last.hidden = false;
    document.dispatchEvent(new CustomEvent("andon:tick"));
  };

  const open = () => {
    if (stream) return;
    stream = new EventSource(url);
    stream.addEventListener("open", () => {
      mark("live", "Live");
      // What changed while nobody listened was not announced here.
      if (missed) changed(null);
      missed = false;
    });
    stream.addEventListener("error", () => {
      missed = true;
      mark("lost", "Reconnecting");
      if (stream && stream.readyState === EventSource.CLOSED) {
        stream = null;
        setTimeout(open, 3000);
      }
    });
    stream.addEventListener("runs", arrived);
    for (const topic of TOPICS) stream.addEventListener(topic, () => changed(topic));
  };

  const close = () => {
    if (!stream) return;
    stream.close();
    stream = null;
    missed = true;
  };

  // A browser gives one host six connections: pages that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_MS);
    else open();
  });
  document.addEventListener("focusout", (event) => {
    const element = event.target.closest("[data-live][data-stale]");
    if (!element) return;
    delete element.dataset.stale;
    refresh(element);
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
})();
