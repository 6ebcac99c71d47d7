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

  // A row's branch, if it has one, is the <details> right after it.
  const branchOf = (row) => (row.nextElementSibling?.matches(".wf-branch") ? row.nextElementSibling : null);
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest(".wf-row");
    if (!row || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    const branch = branchOf(row);
    if (event.key === "ArrowRight") { if (branch) branch.open = true; }
    else if (branch?.open) branch.open = false;
    else row.closest(".wf-branch")?.previousElementSibling.querySelector("a")?.focus();
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "span") return;
    const panel = document.getElementById("span");
    if (panel && panel.getBoundingClientRect().top > innerHeight * 0.8) panel.scrollIntoView({ block: "start" });
  });
})();
