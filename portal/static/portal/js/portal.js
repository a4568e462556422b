/* Small comforts on top of pages that work without any of this: theme, dialogs, copy buttons, menus. */
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.remove("no-js");

  const say = (text) => {
    const live = document.getElementById("live");
    if (live) live.textContent = text;
  };

  /* Theme: applied at once, kept by the server's cookie. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-theme-form]") || !event.submitter) return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const theme = body.get("theme");
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === theme));
    fetch(form.action, { method: "POST", body, redirect: "manual" });
  });

  /* Dialogs: a link with hx-target="#dialog-body" opens the same form that its address shows as a page. */
  const dialog = document.getElementById("dialog");
  const body = document.getElementById("dialog-body");
  if (dialog && body) {
    document.addEventListener("htmx:afterSettle", (event) => {
      if (event.detail.target !== body) return;
      if (!dialog.open) dialog.showModal();
      const first = body.querySelector("[aria-invalid=true], [autofocus]");
      if (first) first.focus();
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-close]")) {
        event.preventDefault();
        dialog.close();
      }
    });
    dialog.addEventListener("close", () => body.replaceChildren());
  }

  /* Palette: Ctrl-K opens it, the arrows move through what was found, Enter goes there. */
  const finder = document.querySelector("[data-finder]");
  const chosen = (palette) => palette.querySelector(".is-chosen") || palette.querySelector("#found a");
  document.addEventListener("keydown", (event) => {
    if (finder && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (dialog && dialog.open) dialog.close();
      finder.click();
      return;
    }
    const palette = event.target.closest && event.target.closest("[data-palette]");
    if (!palette) return;
    if (event.key === "Enter" && event.target.matches("input")) {
      const link = chosen(palette);
      if (link) {
        event.preventDefault();
        location.assign(link.href);
        if (dialog) dialog.close();
      }
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const links = [...palette.querySelectorAll("#found a")];
    const now = links.indexOf(palette.querySelector(".is-chosen"));
    const next = links[(now + (event.key === "ArrowDown" ? 1 : links.length - (now < 0 ? 0 : 1))) % links.length];
    links.forEach((link) => link.classList.toggle("is-chosen", link === next));
    if (next) next.scrollIntoView({ block: "nearest" });
    if (next) say(next.textContent.trim());
  });

  /* Copy buttons. */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.classList.add("is-copied");
      say(button.dataset.done || "");
      setTimeout(() => button.classList.remove("is-copied"), 1500);
    } catch {
      getSelection().selectAllChildren(source);
    }
  });

  /* Menus close on a click elsewhere and on Escape; a search field answers to "/". */
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select, dialog")) {
      const search = document.querySelector("input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    }
  });

  /* A menu whose entry opens a dialog closes; when the dialog does, the focus is back at the menu. */
  document.addEventListener("click", (event) => {
    const menu = event.target.closest(".menu-list a[hx-get]")?.closest("details");
    if (!menu) return;
    menu.querySelector("summary").focus();
    menu.open = false;
  });

  /* On a narrow screen the tab in use may lie beyond the edge. */
  document.querySelector(".tab-bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  /* A form that is sent twice by a double click would only be refused; say so by disabling it. */
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.matches("[hx-post], [data-theme-form], [method=get]")) return;
    setTimeout(() => event.target.querySelectorAll("button[type=submit]").forEach((b) => (b.disabled = true)));
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("button[type=submit]").forEach((b) => (b.disabled = false));
  });
})();
