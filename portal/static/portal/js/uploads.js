/* File fields and the forms around them: dropping, what was chosen, progress with rate and time left. */
(() => {
  "use strict";

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
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  /* --- dropping, and what was chosen ------------------------------------------------------------------------------------ */
  const asModelName = (name) => name.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[-._]+|[-._]+$/g, "").slice(0, 80);

  const showChosen = (drop, input) => {
    const files = [...input.files];
    const chosen = drop.querySelector("[data-chosen]");
    chosen.hidden = !files.length;
    drop.querySelector("[data-invite]").hidden = Boolean(files.length);
    if (!files.length) return;
    chosen.textContent = `${files.map((file) => file.name).join(", ")} · ${bytes(sum(files.map((file) => file.size)))}`;
    const main = files.find((file) => file.name.toLowerCase().endsWith(".onnx")) || files[0];
    const name = drop.closest("form").querySelector("[data-name-from-file]");
    if (name && !name.value) name.value = asModelName(main.name);
  };

  for (const drop of document.querySelectorAll("[data-drop]")) {
    const input = drop.querySelector("input[type=file]");
    input.addEventListener("change", () => showChosen(drop, input));
    for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, () => drop.classList.add("is-over"));
    for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("is-over"));
  }

  /* --- the panel with the bar ---------------------------------------------------------------------------------------------- */
  const WINDOW_MS = 8_000;

  const panelOf = (form) => {
    const panel = form.querySelector("[data-progress]");
    const bar = panel.querySelector("progress");
    const [left, right] = panel.querySelectorAll("[data-words]");
    const submit = form.querySelector("button[type=submit]");
    const slot = form.querySelector("[data-upload-errors]");
    let seen = [];
    let waiting = false;
    return {
      words: panel.dataset,
      begin() {
        seen = [];
        waiting = false;
        panel.hidden = false;
        submit.disabled = true;
        slot.replaceChildren();
      },
      /* The rate is that of the last seconds: what an earlier visit has sent does not count. */
      at(done, total) {
        const now = performance.now();
        seen = [...seen.filter(([moment]) => now - moment < WINDOW_MS), [now, done]];
        const rate = (done - seen[0][1]) / Math.max((now - seen[0][0]) / 1000, 0.05);
        bar.max = total;
        bar.value = done;
        left.textContent = `${bytes(done)} / ${bytes(total)}`;
        if (!waiting) right.textContent = rate > 0 ? `${bytes(rate)}/s · ${panel.dataset.left.replace("{time}", seconds((total - done) / rate))}` : "";
      },
      say(text) {
        right.textContent = text;
      },
      wait(now) {
        if (now) right.textContent = panel.dataset.waiting;
        // The time without a connection is none of the rate's.
        if (now !== waiting) seen = [];
        waiting = now;
      },
      end(nodes) {
        panel.hidden = true;
        submit.disabled = false;
        if (typeof nodes === "string") {
          const box = document.createElement("div");
          box.className = "notice is-bad";
          box.textContent = nodes;
          slot.replaceChildren(box);
        } else slot.replaceChildren(...nodes);
        const wrong = slot.childElementCount ? slot : form.querySelector("[data-upload-fields] [aria-invalid=true]");
        (wrong || slot).focus();
      },
    };
  };

  /* Sends the form itself. Where it succeeds the server says where to go, else the reasons are in the page that it answers. */
  const post = (form, panel, body, { onSent, onDone } = {}) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action || location.href);
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    if (onSent) request.upload.addEventListener("progress", (step) => step.lengthComputable && onSent(step));
    request.addEventListener("load", () => {
      const next = request.getResponseHeader("X-Location");
      if (next) {
        if (onDone) onDone();
        location.assign(next);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const fresh = page.querySelector("[data-upload-errors]");
      const told = page.querySelector("main [role=alert] h1");
      // What is wrong with a field stands beside it.
      const fields = [form, page].map((place) => place.querySelector("[data-upload-fields]"));
      if (fields.every(Boolean)) fields[0].replaceWith(document.adoptNode(fields[1]));
      panel.end(fresh ? fresh.childNodes : told ? told.textContent : panel.words.failed);
    });
    request.addEventListener("error", () => panel.end(panel.words.failed));
    request.send(body);
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-upload]") || event.defaultPrevented) return;
    event.preventDefault();
    const panel = panelOf(form);
    panel.begin();
    const onSent = (step) => {
      panel.at(step.loaded, step.total);
      if (step.loaded >= step.total) panel.say(panel.words.saving);
    };
    post(form, panel, new FormData(form), { onSent });
  });

  /* --- in parts: goes on after a reload, a closed tab or a restarted server -------------------------------------------------- */
  const memory = (file) => `slipway-upload ${file.name} ${file.size} ${file.lastModified}`;

  /* What this browser remembers, or one that the server lists by the same name and size; parts are compared by digest. */
  const unfinished = (file) => {
    const own = localStorage.getItem(memory(file));
    if (own || !slipway.canHash) return own || "";
    const listed = [...document.querySelectorAll("[data-unfinished]")];
    const same = listed.find((item) => item.dataset.name === file.name && Number(item.dataset.size) === file.size);
    return same ? same.dataset.unfinished : "";
  };

  const sendAll = async (form, panel, files) => {
    const total = sum(files.map((file) => file.size));
    const ids = [];
    let before = 0;
    for (const file of files) {
      const sent = new Map();
      const options = {
        url: form.dataset.uploadParts,
        token: form.querySelector("[name=csrfmiddlewaretoken]").value,
        model: form.querySelector("[name=model]").value.trim(),
        resume: unfinished(file),
        failed: panel.words.failed,
        onBegun: (id) => localStorage.setItem(memory(file), id),
        onSent: (number, n) => {
          if (n) panel.wait(false);
          sent.set(number, n);
          panel.at(before + sum([...sent.values()]), total);
        },
        onRestart: () => sent.clear(),
        onWaiting: panel.wait,
        onSaving: () => panel.say(panel.words.saving),
      };
      ids.push(await slipway.sendFile(file, options));
      before += file.size;
    }
    return ids;
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-upload-parts]") || event.defaultPrevented) return;
    const input = form.querySelector("input[type=file]");
    const files = [...input.files];
    // An empty file has no parts: the form itself is told what it is.
    if (!files.length || files.some((file) => !file.size)) return;
    event.preventDefault();
    const panel = panelOf(form);
    panel.begin();
    try {
      const ids = await sendAll(form, panel, files);
      const body = new FormData(form);
      body.delete(input.name);
      body.set("uploads", ids.join(" "));
      post(form, panel, body, { onDone: () => files.forEach((file) => localStorage.removeItem(memory(file))) });
    } catch (error) {
      panel.end(error.message || panel.words.failed);
    }
  });
})();
