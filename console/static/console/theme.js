// Sets the remembered theme before anything is painted, and gives the switch its three positions.
(() => {
  const THEMES = ["auto", "light", "dark"];
  const ICONS = { auto: "theme", light: "light", dark: "dark" };
  const remembered = () => {
    const name = localStorage.getItem("andon.theme");
    return THEMES.includes(name) ? name : "auto";
  };
  const apply = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
  };
  const show = (button) => {
    const name = remembered();
    const next = THEMES[(THEMES.indexOf(name) + 1) % THEMES.length];
    button.setAttribute("aria-label", `Theme: ${name}. Switch to ${next}`);
    button.dataset.tip = `Theme: ${name}`;
    const use = button.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#icon-${ICONS[name]}`));
  };

  apply(remembered());
  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      show(button);
      button.addEventListener("click", () => {
        const next = THEMES[(THEMES.indexOf(remembered()) + 1) % THEMES.length];
        localStorage.setItem("andon.theme", next);
        apply(next);
        show(button);
      });
    }
  });
})();
