/* Sends one file in parts: three at a time, each with its SHA-256, again after whatever breaks, and only what is missing.
   `slipway.sendFile(file, options)` gives the id of the complete upload, or throws an Error whose message can be shown. */
(() => {
  "use strict";

  const AT_ONCE = 3;
  const STALLED_MS = 60_000;
  const LONGEST_PAUSE_MS = 10_000;
  // Browsers hash on https and on this machine only; elsewhere the server's own digest has to do.
  const canHash = Boolean(globalThis.isSecureContext && globalThis.crypto && crypto.subtle);

  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const sha256 = async (buffer) => hex(await crypto.subtle.digest("SHA-256", buffer));

  /* One request; status 0 stands for a connection that broke, or over which nothing went for a minute. */
  const ask = (options, method, path, body, headers = {}, onSent = () => {}) =>
    new Promise((done) => {
      const request = new XMLHttpRequest();
      let stall = 0;
      const alive = () => {
        clearTimeout(stall);
        stall = setTimeout(() => request.abort(), STALLED_MS);
      };
      const end = (status) => {
        clearTimeout(stall);
        let document_ = {};
        try {
          document_ = JSON.parse(request.responseText || "{}");
        } catch {
          document_ = {};
        }
        done({ status, body: document_, error: document_.error || {} });
      };
      request.open(method, path);
      request.setRequestHeader("X-CSRFToken", options.token);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.addEventListener("progress", (step) => {
        alive();
        onSent(step.loaded);
      });
      // All is sent: how long the server needs to make sure of it is its own affair.
      request.upload.addEventListener("load", () => clearTimeout(stall));
      request.addEventListener("load", () => end(request.status));
      for (const kind of ["error", "abort", "timeout"]) request.addEventListener(kind, () => end(0));
      alive();
      request.send(body);
    });

  const askJson = (options, method, path, document_) =>
    ask(options, method, path, document_ && JSON.stringify(document_), { "Content-Type": "application/json" });

  const passes = (answer) =>
    [0, 408, 425, 429, 500, 502, 504].includes(answer.status) || (answer.status === 503 && answer.error.code !== "storage_full");

  /* Asks until there is an answer that counts. */
  const persist = async (options, attempt) => {
    for (let round = 0; ; round += 1) {
      const answer = await attempt();
      if (!passes(answer)) {
        options.onWaiting(false);
        return answer;
      }
      options.onWaiting(true);
      await sleep(Math.min(LONGEST_PAUSE_MS, 300 * 2 ** Math.min(round, 6)) * (0.5 + Math.random()));
    }
  };

  const fail = (options, answer) => {
    throw new Error(answer.error.message || options.failed);
  };

  const known = async (options, id) => {
    const answer = await persist(options, () => askJson(options, "GET", `${options.url}/${id}`));
    return answer.status === 200 && ["open", "complete"].includes(answer.body.state) ? answer.body : null;
  };

  const begin = async (options, file) => {
    const wish = { size: file.size, file_name: file.name.slice(-255), model: options.model };
    const answer = await persist(options, () => askJson(options, "POST", options.url, wish));
    return answer.status === 201 ? answer.body : fail(options, answer);
  };

  /* False where the server has other bytes there: then it is another file of the same name and size. */
  const sendPart = async (options, file, upload, number, there) => {
    const slice = file.slice((number - 1) * upload.part_size, Math.min(number * upload.part_size, file.size));
    const body = canHash ? await slice.arrayBuffer() : slice;
    const digest = canHash ? await sha256(body) : "";
    if (there) return !digest || digest === there;
    const headers = { "Content-Type": "application/octet-stream", ...(digest && { "X-Content-SHA256": digest }) };
    const path = `${options.url}/${upload.id}/parts/${number}`;
    const answer = await persist(options, () => {
      options.onSent(number, 0);
      return ask(options, "PUT", path, body, headers, (n) => options.onSent(number, Math.min(n, slice.size)));
    });
    if (answer.status === 409 && answer.error.code === "part_differs") return false;
    if (answer.status !== 200) fail(options, answer);
    return true;
  };

  /* False as soon as one part is another. */
  const sendParts = async (options, file, upload) => {
    const there = new Map(upload.parts.map((part) => [part.number, part.sha256]));
    const missing = Array.from({ length: upload.n_parts }, (_, index) => index + 1);
    let same = true;
    const work = async () => {
      while (missing.length && same) {
        const number = missing.shift();
        same = (await sendPart(options, file, upload, number, there.get(number))) && same;
        options.onSent(number, Math.min(upload.part_size, file.size - (number - 1) * upload.part_size));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return same;
  };

  const sendFile = async (file, options) => {
    let upload = options.resume && (await known(options, options.resume));
    if (upload && upload.size !== file.size) upload = null;
    upload = upload || (await begin(options, file));
    options.onBegun(upload.id);
    if (!(await sendParts(options, file, upload))) {
      await askJson(options, "DELETE", `${options.url}/${upload.id}`);
      options.onRestart();
      return sendFile(file, { ...options, resume: "" });
    }
    options.onSaving();
    const answer = await persist(options, () => askJson(options, "POST", `${options.url}/${upload.id}/complete`, {}));
    return answer.status === 200 ? upload.id : fail(options, answer);
  };

  globalThis.slipway = { ...globalThis.slipway, sendFile, canHash };
})();
