// Relative times that tick, and one tooltip for everything that has a longer word for itself.
(() => {
  const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  const relative = (seconds) => {
    const distance = Math.abs(seconds);
    if (distance < 5) return "just now";
    const [size, unit] = STEPS.find(([step]) => distance >= step);
    const words = `${Math.floor(distance / size)} ${unit}`;
    return seconds < 0 ? `in ${words}` : `${words} ago`;
  };

  const tick = () => {
    for (const time of document.querySelectorAll("time.when:not([data-fixed])")) {
      if (!time.dateTime) continue;
      const words = relative((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (time.textContent !== words) time.textContent = words;
    }
  };

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");

  const words = (element) => {
    if (element.dataset.tip) return element.dataset.tip;
    if (element.dataset.exact) return `${element.dataset.exact}\n${element.dataset.utc}`;
    return "";
  };

  const show = (event) => {
    const element = event.target.closest?.("[data-tip], .when[data-exact]");
    if (!element || !words(element)) return hide();
    if (event.type === "focusin" && !element.matches(":focus-visible")) return undefined;
    // The browser's own tooltip would come on top of ours.
    if (element.title) { element.dataset.title = element.title; element.removeAttribute("title"); }
    tip.textContent = words(element);
    tip.hidden = false;
    const at = element.getBoundingClientRect();
    const left = Math.min(Math.max(6, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 6);
    const below = at.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? at.bottom + 6 : at.top - tip.offsetHeight - 6}px`;
    return undefined;
  };
  const hide = () => { tip.hidden = true; };

  document.body.append(tip);
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("andon:tick", tick);
  document.addEventListener("htmx:afterSwap", () => { hide(); tick(); });
  setInterval(tick, 1000);
  tick();
})();
