/* Forms that answer while one types: the sum of a split, the file that was dropped, the rate of an upload. */
(() => {
  "use strict";

  /* --- weights: the other arm takes the rest, the sum is said at once ------------------------------------------------- */
  const percent = (field) => {
    const value = Number(field.value.trim().replace(",", "."));
    return field.value.trim() === "" ? 0 : value;
  };
  const round = (number) => Math.round(number * 100) / 100;

  const checkSum = (form) => {
    const fields = [...form.querySelectorAll("[data-weight]")];
    const sum = round(fields.reduce((total, field) => total + percent(field), 0));
    const out = form.querySelector("[data-sum]");
    if (!out) return;
    const key = Number.isNaN(sum) ? "invalid" : sum === 100 ? "exact" : sum < 100 ? "missing" : "over";
    for (const part of out.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== key;
    for (const slot of out.querySelectorAll("[data-rest]")) slot.textContent = String(round(Math.abs(100 - sum)));
  };

  const giveRest = (form, changed) => {
    const rest = form.querySelector("[data-weight=stable]");
    if (!rest || rest === changed) return;
    const others = [...form.querySelectorAll("[data-weight]")].filter((field) => field !== rest);
    const left = round(100 - others.reduce((total, field) => total + percent(field), 0));
    if (left >= 0 && left <= 100) rest.value = String(left);
  };

  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-weights]");
    if (!form || !event.target.matches("[data-weight]")) return;
    giveRest(form, event.target);
    checkSum(form);
  });
  document.addEventListener("click", (event) => {
    const preset = event.target.closest("[data-preset]");
    if (!preset) return;
    const field = preset.closest("[data-weights]").querySelector("[data-weight=canary]");
    field.value = preset.dataset.preset;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  document.addEventListener("htmx:load", (event) => {
    for (const form of event.detail.elt.querySelectorAll("[data-weights]")) checkSum(form);
  });
  document.querySelectorAll("[data-weights]").forEach(checkSum);

  /* --- files: dropping, and what was chosen ----------------------------------------------------------------------------- */
  const units = ["B", "kB", "MB", "GB", "TB"];
  const bytes = (n) => {
    let step = 0;
    while (n >= 1000 && step < units.length - 1) {
      n /= 1000;
      step += 1;
    }
    return `${step && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[step]}`;
  };
  const seconds = (n) => (n < 90 ? `${Math.max(1, Math.round(n))} s` : `${Math.round(n / 60)} min`);

  for (const drop of document.querySelectorAll("[data-drop]")) {
    const input = drop.querySelector("input[type=file]");
    const chosen = drop.querySelector("[data-chosen]");
    input.addEventListener("change", () => {
      const file = input.files[0];
      chosen.hidden = !file;
      drop.querySelector("[data-invite]").hidden = Boolean(file);
      if (!file) return;
      chosen.textContent = `${file.name} · ${bytes(file.size)}`;
      const name = drop.closest("form").querySelector("[data-name-from-file]");
      if (name && !name.value) name.value = file.name.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[-._]+|[-._]+$/g, "").slice(0, 80);
    });
    for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, () => drop.classList.add("is-over"));
    for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("is-over"));
  }

  /* --- uploads: progress with rate and time left, over the same form --------------------------------------------------- */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-upload]") || event.defaultPrevented) return;
    const panel = form.querySelector("[data-progress]");
    if (!panel) return;
    event.preventDefault();
    const bar = panel.querySelector("progress");
    const [left, right] = panel.querySelectorAll("[data-words]");
    const submit = form.querySelector("button[type=submit]");
    const request = new XMLHttpRequest();
    const began = performance.now();
    request.open("POST", form.action || location.href);
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    request.upload.addEventListener("progress", (step) => {
      if (!step.lengthComputable) return;
      const spent = (performance.now() - began) / 1000;
      const rate = step.loaded / Math.max(spent, 0.05);
      bar.max = step.total;
      bar.value = step.loaded;
      left.textContent = `${bytes(step.loaded)} / ${bytes(step.total)}`;
      right.textContent = step.loaded < step.total ? `${bytes(rate)}/s · ${seconds((step.total - step.loaded) / rate)}` : panel.dataset.saving;
    });
    request.addEventListener("load", () => {
      const next = request.getResponseHeader("X-Location");
      if (next) {
        location.assign(next);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const fresh = page.querySelector("[data-upload-errors]");
      const told = page.querySelector("main [role=alert] h1");
      const slot = form.querySelector("[data-upload-errors]");
      if (fresh) slot.replaceChildren(...fresh.childNodes);
      else slot.textContent = told ? told.textContent : panel.dataset.failed;
      stop();
      slot.focus();
    });
    const stop = () => {
      panel.hidden = true;
      submit.disabled = false;
    };
    request.addEventListener("error", () => {
      form.querySelector("[data-upload-errors]").textContent = panel.dataset.failed;
      stop();
    });
    panel.hidden = false;
    submit.disabled = true;
    request.send(new FormData(form));
  });
})();
