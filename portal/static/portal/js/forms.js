/* Forms that answer while one types: the sum of a split. */
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
})();
