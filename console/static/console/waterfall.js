// The chosen span's row stays marked; left and right fold and unfold; on a small screen the panel comes into view.
(() => {
  const body = document.querySelector(".wf-body");
  if (!body) return;

  body.addEventListener("click", (event) => {
    const link = event.target.closest("a[hx-get]");
    if (!link) return;
    body.querySelectorAll("[aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    link.setAttribute("aria-current", "true");
  });

  body.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const row = event.target.closest(".wf-row");
    const branch = row?.matches("summary") ? row.parentElement : row?.closest("details");
    if (!branch) return;
    event.preventDefault();
    if (event.key === "ArrowRight") branch.open = true;
    else if (branch.open && row.matches("summary")) branch.open = false;
    else (row.matches("summary") ? branch.parentElement.closest("details") : branch)?.querySelector("summary a")?.focus();
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "span") return;
    const panel = document.getElementById("span");
    if (panel && panel.getBoundingClientRect().top > innerHeight * 0.8) panel.scrollIntoView({ block: "start" });
  });
})();
