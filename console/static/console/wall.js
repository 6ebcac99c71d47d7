// The wall shows one site after the other; a button stops that, and a choice survives what the wall refetches.
(() => {
  const SECONDS = 15;
  const pause = document.querySelector("[data-wall-pause]");
  const sites = () => [...document.querySelectorAll("[data-wall-site]")];
  let at = 0;
  let paused = false;

  const show = () => {
    const all = sites();
    const rotating = all.length > 1 && !paused;
    all.forEach((site, index) => { site.hidden = rotating && index !== at % all.length; });
    pause.hidden = all.length < 2;
    pause.textContent = paused ? "Rotate the sites" : "Pause: show all sites";
    pause.setAttribute("aria-pressed", String(paused));
  };

  pause.addEventListener("click", () => { paused = !paused; show(); });
  document.addEventListener("htmx:afterSwap", show);
  setInterval(() => { if (!paused) { at += 1; show(); } }, SECONDS * 1000);
  show();
})();
