// A row whose link fills a panel beside it stays marked; on a small screen the panel comes into view.
(() => {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-row] a[hx-get]");
    if (!link) return;
    for (const row of document.querySelectorAll("[data-row].selected")) row.classList.remove("selected");
    for (const other of document.querySelectorAll("[data-row] a[aria-current]")) other.removeAttribute("aria-current");
    link.closest("[data-row]").classList.add("selected");
    link.setAttribute("aria-current", "true");
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (!["span", "letter"].includes(event.detail.target?.id)) return;
    const panel = document.getElementById(event.detail.target.id);
    if (panel && panel.getBoundingClientRect().top > innerHeight * 0.8) panel.scrollIntoView({ block: "start" });
  });
})();
