/* Starts Netron inside its frame: with this version's file, without other hosts, cookies, menus or links away. */
window.exports = {};
const { model, netron } = document.body.dataset;
const at = (file) => new URL(file, new URL(netron, location.href)).href;
const [{ Host, Context }, { View }] = await Promise.all([
  import(at("browser.js")).then((found) => ({ Host: found.Host, Context: window.exports.browser.Context })),
  import(at("view.js")).then((found) => ({ View: found.View || window.exports.view.View })),
]);

class Frame extends Host {
  constructor() {
    const { eval: kept } = window;
    super();
    // Netron takes it away; the page's policy forbids it anyway, and whoever looks at the frame with tools needs it.
    window.eval = kept;
    this._environment.menu = false;
    document.getElementById("menu-button").style.display = "none";
    this._environment.packaged = false;
  }

  /* Where Netron would ask for consent, look for updates and report who it is used by. */
  async view(view) {
    this._view = view;
  }

  async start() {
    this._view.show("welcome spinner");
    try {
      const stream = await this._request(new URL(model, location.href).href, null, null, (done) => this._view.progress(done));
      await this._openContext(new Context(this, model, "model.onnx", document.title, stream));
    } catch (error) {
      await this._view.error(error, "");
    }
  }

  worker(id) {
    return new Worker(at(`${id.replace("./", "")}.js`), { type: "module" });
  }

  async require(id) {
    return import(at(`${id.replace("./", "")}.js`));
  }

  _url(file) {
    return at(file);
  }

  get() {}
  set() {}
  delete() {}
  openURL() {}
  event() {}
  exception() {}
}

window.__view__ = new View(new Frame());
window.__view__.start();
