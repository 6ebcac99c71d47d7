// The keyboard: j, k, Enter through rows; / to search; g and a letter to go; ? for the list. It can be switched off.
(() => {
  const help = document.getElementById("keys");
  const off = () => localStorage.getItem("andon.keys") === "off";
  let leading = -Infinity;

  const typing = (target) => target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null || row.getClientRects().length);

  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const from = all.findIndex((row) => row.classList.contains("selected"));
    const next = all[Math.min(all.length - 1, Math.max(0, from < 0 ? 0 : from + step))];
    all.forEach((row) => row.classList.toggle("selected", row === next));
    next.scrollIntoView({ block: "nearest" });
    // The focus goes along, so that Tab continues in the row and a screen reader reads it.
    next.querySelector("a, button")?.focus({ preventScroll: true });
  };

  const press = (selector) => {
    const selected = document.querySelector("[data-row].selected");
    const target = selected?.querySelector(selector) ?? [...document.querySelectorAll(`.main ${selector}`)].find((node) => !node.closest("[data-row]"));
    if (!target) return false;
    target.click();
    return true;
  };

  const go = (letter) => {
    const target = document.querySelector(`[data-go="${CSS.escape(letter)}"]`);
    if (target) location.assign(target.href);
    return Boolean(target);
  };

  const act = (event) => {
    if (performance.now() - leading < 1200) {
      leading = -Infinity;
      return go(event.key);
    }
    switch (event.key) {
      case "j": move(1); return true;
      case "k": move(-1); return true;
      case "g": leading = performance.now(); return true;
      case "/": document.getElementById("search")?.focus(); return Boolean(document.getElementById("search"));
      case "?": help?.showModal(); return Boolean(help);
      case "Escape":
        document.querySelectorAll("[data-row].selected").forEach((row) => row.classList.remove("selected"));
        return false;
      case "Enter":
        // A focused link or button does what it does by itself.
        if (event.target.closest("a, button, summary")) return false;
        return press("[data-open], a.title");
      default:
        return /^[a-z]$/.test(event.key) && press(`[data-key="${event.key}"]`);
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    if (off() && event.key !== "?") return;
    if (act(event)) event.preventDefault();
  });

  const box = help?.querySelector("[data-keys-on]");
  if (box) {
    box.checked = !off();
    box.addEventListener("change", () => localStorage.setItem("andon.keys", box.checked ? "on" : "off"));
  }
  document.querySelectorAll("[data-keys-show]").forEach((button) => button.addEventListener("click", () => help?.showModal()));
})();
