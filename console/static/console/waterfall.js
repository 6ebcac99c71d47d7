// Left and right fold and unfold the branch of the row that has the focus.
(() => {
  const body = document.querySelector(".wf-body");
  if (!body) return;

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
})();
