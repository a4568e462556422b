/* A picture becomes what the model takes: opened here in the browser, cut to the middle, scaled, and sent as pixels. */
(() => {
  "use strict";

  const box = (element) => element.closest("[data-picture]");
  const parts = (picture) => ({
    canvas: picture.querySelector("canvas"),
    pixels: picture.querySelector("[data-pixels]"),
    said: picture.querySelector("[data-picture-said]"),
  });

  /* Base64 by parts, as a call takes only so many arguments. */
  const base64 = (bytes) => {
    let text = "";
    for (let start = 0; start < bytes.length; start += 8192) {
      text += String.fromCharCode(...bytes.subarray(start, start + 8192));
    }
    return btoa(text);
  };

  const withoutAlpha = (data) => {
    const bytes = new Uint8Array((data.length / 4) * 3);
    for (let from = 0, to = 0; from < data.length; from += 4, to += 3) bytes.set(data.subarray(from, from + 3), to);
    return bytes;
  };

  /* The middle of the picture in the canvas's proportions. What is transparent becomes white. */
  const draw = (canvas, bitmap) => {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
    const [width, height] = [canvas.width / scale, canvas.height / scale];
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    const [left, top] = [(bitmap.width - width) / 2, (bitmap.height - height) / 2];
    context.drawImage(bitmap, left, top, width, height, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  };

  const take = async (picture, file) => {
    const { canvas, pixels, said } = parts(picture);
    try {
      const bitmap = await createImageBitmap(file);
      pixels.value = base64(withoutAlpha(draw(canvas, bitmap)));
      bitmap.close();
      canvas.hidden = false;
      said.textContent = picture.dataset.done;
    } catch {
      pixels.value = "";
      canvas.hidden = true;
      said.textContent = picture.dataset.failed;
    }
  };

  /* A form that came back still holds its pixels: shown again. */
  const show = (picture) => {
    const { canvas, pixels } = parts(picture);
    let text;
    try {
      text = atob(pixels.value.trim());
    } catch {
      return;
    }
    if (text.length !== canvas.width * canvas.height * 3) return;
    const image = new ImageData(canvas.width, canvas.height);
    for (let from = 0, to = 0; from < text.length; from += 3, to += 4) {
      for (let color = 0; color < 3; color += 1) image.data[to + color] = text.charCodeAt(from + color);
      image.data[to + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.hidden = false;
  };

  document.addEventListener("change", (event) => {
    const picture = event.target.matches("[data-picture] input[type=file]") && box(event.target);
    if (picture && event.target.files.length) take(picture, event.target.files[0]);
  });
  for (const [name, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    document.addEventListener(name, (event) => {
      const drop = event.target.closest && event.target.closest("[data-picture] .drop");
      if (drop) drop.classList.toggle("is-over", isOver);
    });
  }
  document.addEventListener("htmx:load", (event) => event.detail.elt.querySelectorAll("[data-picture]").forEach(show));
  document.querySelectorAll("[data-picture]").forEach(show);
})();
