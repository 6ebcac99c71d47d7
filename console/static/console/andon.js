// What pages do by themselves: menus that close, copying, questions before acting, toasts, rows that keep their state.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Menus are <details>: one open at a time, closed by Escape or by a click elsewhere.
  document.addEventListener("click", (event) => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of $$("details.menu[open]")) {
      menu.open = false;
      $("summary", menu).focus();
    }
  });

  // Toasts.
  const toast = (text, state = "ok") => {
    const template = $("#toast");
    if (!template || !text) return;
    const node = template.content.firstElementChild.cloneNode(true);
    node.classList.add(state);
    const use = $("use", node);
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#lamp-${state}`));
    $("[data-text]", node).textContent = text;
    $(".toasts").append(node);
    if (state === "ok") setTimeout(() => node.remove(), 6000);
  };
  document.addEventListener("click", (event) => event.target.closest(".toast [data-close]")?.closest(".toast").remove());
  document.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value, event.detail.state));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401 || status === 403) toast("You may not do that, or your session has ended. Reload the page and sign in.", "warn");
    else toast(`The console answered ${status}. Nothing was changed; try again, or reload the page.`, "warn");
  });
  document.addEventListener("htmx:sendError", (event) => {
    // A table that refetches itself stays quiet: the live mark says that the connection is lost.
    if (!event.target.closest("[data-live]")) toast("The console did not answer. Nothing was changed; try again.", "warn");
  });

  // Copying.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = button.dataset.copy ? $(button.dataset.copy) : $("pre", button.closest(".snippet"));
    const label = $("[data-label]", button) ?? button;
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      label.textContent = "Copied";
      button.classList.add("copied");
    } catch {
      getSelection().selectAllChildren(source);
      label.textContent = "Press Ctrl-C";
    }
    setTimeout(() => { label.textContent = before; button.classList.remove("copied"); }, 2000);
  });

  // One dialog asks before anything that cannot be undone: hx-confirm, or data-confirm on a form.
  const dialog = $("#confirm");
  const ask = (question, label) => new Promise((resolve) => {
    $("[data-question]", dialog).textContent = question;
    $("[data-yes]", dialog).textContent = label || "Yes, do it";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question || !dialog) return;
    event.preventDefault();
    ask(event.detail.question, event.detail.elt.dataset.confirmLabel).then((yes) => { if (yes) event.detail.issueRequest(true); });
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-confirm]");
    if (!form || form.dataset.confirmed || !dialog) return;
    event.preventDefault();
    ask(form.dataset.confirm, form.dataset.confirmLabel).then((yes) => {
      if (!yes) return;
      form.dataset.confirmed = "yes";
      form.requestSubmit(event.submitter ?? undefined);
    });
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) $(opener.dataset.dialog)?.showModal();
    const closer = event.target.closest("dialog [data-close]");
    if (closer) closer.closest("dialog").close();
    if (event.target.matches?.("dialog[open]")) event.target.close();
  });

  // A row opens to what stands behind it: the button names the rows it controls.
  const expand = (button, open) => {
    button.setAttribute("aria-expanded", String(open));
    for (const id of button.getAttribute("aria-controls").split(" ")) {
      const row = document.getElementById(id);
      if (row) row.hidden = !open;
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[aria-controls][aria-expanded]");
    if (button) expand(button, button.getAttribute("aria-expanded") !== "true");
  });

  // A part that refetches itself keeps open rows, the selection and the focus; rows whose data-rev changed glow once.
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    if (!target.matches?.("[data-live]")) return;
    kept = {
      open: $$("[aria-expanded=true]", target).map((node) => node.getAttribute("aria-controls")),
      folds: $$("details[open][id]", target).map((node) => node.id),
      selected: $("[data-row].selected", target)?.id,
      focus: target.contains(document.activeElement) ? document.activeElement.id : "",
      revisions: new Map($$("[id][data-rev]", target).map((row) => [row.id, row.dataset.rev])),
    };
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!kept) return;
    const { open, folds, selected, focus, revisions } = kept;
    kept = null;
    for (const id of open) { const button = $(`button[aria-controls="${CSS.escape(id)}"]`); if (button) expand(button, true); }
    for (const id of folds) { const fold = document.getElementById(id); if (fold) fold.open = true; }
    if (selected) document.getElementById(selected)?.classList.add("selected");
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    if (!revisions.size) return;
    for (const row of $$("[id][data-rev]")) {
      if (revisions.get(row.id) === row.dataset.rev) continue;
      for (const cell of row.cells ?? [row]) cell.classList.add("glow");
    }
  });

  // The tab says how many alerts fire.
  const tab = () => {
    const firing = Number($("[data-firing]")?.dataset.firing ?? 0);
    document.title = (firing ? `(${firing}) ` : "") + document.title.replace(/^\(\d+\) /, "");
    const icon = $("link[rel=icon]");
    if (icon?.dataset.calm) icon.href = firing ? icon.dataset.alert : icon.dataset.calm;
  };
  document.addEventListener("htmx:afterSettle", tab);
  tab();

  // A choice that is its own answer submits its form.
  document.addEventListener("change", (event) => event.target.closest("form[data-auto]")?.requestSubmit());
})();
