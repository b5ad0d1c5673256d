"use strict";
// Every picture as a file: SVG, PNG, and the data behind it as CSV. A picture is drawn once more, in the colours of daylight.

/** What a picture draws on where it becomes SVG: the part of a canvas' context that pictures use. */
class SvgContext {
  constructor(width, height) {
    Object.assign(this, { width, height, fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, textAlign: "left", textBaseline: "alphabetic", font: "12px sans-serif" });
    this.parts = [];
    this.path = "";
    this.ruler = document.createElement("canvas").getContext("2d");
  }

  measureText(text) { this.ruler.font = this.font; return this.ruler.measureText(text); }
  beginPath() { this.path = ""; }
  moveTo(x, y) { this.path += `M${rounded(x)} ${rounded(y)}`; }
  lineTo(x, y) { this.path += `${this.path ? "L" : "M"}${rounded(x)} ${rounded(y)}`; }
  arc(x, y, radius) { this.path += `M${rounded(x - radius)} ${rounded(y)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`; }
  stroke() { this.put("path", { d: this.path, fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth, "stroke-opacity": this.opacity() }); }
  fill() { this.put("path", { d: this.path, fill: this.fillStyle, "fill-opacity": this.opacity() }); }
  fillRect(x, y, width, height) { this.put("rect", { x: rounded(x), y: rounded(y), width: rounded(width), height: rounded(height), fill: this.fillStyle, "fill-opacity": this.opacity() }); }
  fillText(text, x, y) {
    const anchor = { left: "start", center: "middle", right: "end" }[this.textAlign], shift = { top: "0.8em", middle: "0.35em", alphabetic: "0" }[this.textBaseline];
    this.put("text", { x: rounded(x), y: rounded(y), dy: shift, "text-anchor": anchor, fill: this.fillStyle, "fill-opacity": this.opacity() }, text);
  }

  closePath() { this.path += "Z"; }
  rect(x, y, width, height) { this.path += `M${rounded(x)} ${rounded(y)}h${rounded(width)}v${rounded(height)}h${rounded(-width)}Z`; }
  save() { this.saved = { ...this, groups: 0 }; }
  clip() {
    const id = `clip-${this.parts.length}`;
    this.parts.push(`<clipPath id="${id}"><path d="${this.path}"/></clipPath><g clip-path="url(#${id})">`);
    this.saved.groups += 1;
  }

  restore() {
    this.parts.push("</g>".repeat(this.saved.groups));
    for (const name of ["fillStyle", "strokeStyle", "lineWidth", "globalAlpha", "textAlign", "textBaseline", "font"]) this[name] = this.saved[name];
  }

  opacity() { return this.globalAlpha === 1 ? null : this.globalAlpha; }
  put(tag, attributes, text = "") {
    const words = Object.entries(attributes).filter(([, value]) => value !== null).map(([name, value]) => ` ${name}="${escaped(value)}"`).join("");
    this.parts.push(text ? `<${tag}${words}>${escaped(text)}</${tag}>` : `<${tag}${words}/>`);
  }

  text(title) {
    const { width, height } = this;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`
      + `<title>${escaped(title)}</title><rect width="${width}" height="${height}" fill="${colour("ground")}"/>\n${this.parts.join("\n")}\n</svg>\n`;
  }
}

const rounded = (value) => Number(value.toFixed(2));
const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** Draws a picture on a context that is as wide, and what its colours mean below it; gives how high both are. */
function drawn({ draw, keys, size }, context) {
  const [width, height] = size();
  draw(context, width, height);
  let x = 8, y = height + 10;
  context.textAlign = "left"; context.textBaseline = "middle"; context.globalAlpha = 1;
  for (const { name, shade } of keys()) {
    const room = context.measureText(name).width + 34;
    if (x > 8 && x + room > width) { x = 8; y += 18; }
    context.fillStyle = shade; context.fillRect(x, y - 5, 10, 10);
    context.fillStyle = colour("ink"); context.fillText(name, x + 15, y);
    x += room;
  }
  return keys().length ? y + 12 : height;
}

function asSvg(drawing) {
  const [width] = drawing.size(), context = new SvgContext(width, 0);
  return inDaylight(() => { context.height = drawn(drawing, context); return context.text(drawing.title()); });
}

/** A promise of the picture, two pixels for each of the page. */
function asPng(drawing) {
  const [width] = drawing.size(), height = inDaylight(() => drawn(drawing, new SvgContext(width, 0)));
  const canvas = make("canvas", { width: 2 * width, height: 2 * height }), context = canvas.getContext("2d");
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.font = "12px system-ui, sans-serif";
  inDaylight(() => { context.fillStyle = colour("ground"); context.fillRect(0, 0, width, height); drawn(drawing, context); });
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}

/** A table as CSV: numbers in full, texts quoted where they must be. */
function asCsv({ names, rows }) {
  const cell = (value) => { const text = value === null || value === undefined ? "" : String(value); return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text; };
  return [names, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function save(name, content) {
  const address = URL.createObjectURL(content);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

/** A drawing that is SVG already, with the colours and the font that the page's style gives it. */
function standalone(svg) {
  const copy = svg.cloneNode(true), theirs = [...copy.querySelectorAll("*")];
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  [...svg.querySelectorAll("*")].forEach((element, n) => {
    const style = getComputedStyle(element);
    for (const name of ["fill", "stroke", "stroke-width", "font-size", "font-family"]) theirs[n].setAttribute(name, style.getPropertyValue(name));
    theirs[n].removeAttribute("class");
  });
  return new XMLSerializer().serializeToString(copy);
}

/** The buttons below a picture. drawing: of `picture`, with keys() → what its colours mean, title(), data() → {names, rows}. */
function savers(drawing) {
  const redrawn = (content) => () => { const found = content(); drawing.paint(); return found; }; // what it noted in daylight is not the page's
  return saveButtons(drawing.title, { SVG: redrawn(() => asSvg(drawing)), PNG: redrawn(() => asPng(drawing)), CSV: () => asCsv(drawing.data()) });
}

const TYPES = { SVG: "image/svg+xml", CSV: "text/csv" };

/** files: by its ending in capitals, what gives a text, or the promise of a blob. */
function saveButtons(title, files) {
  const name = () => title().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "picture";
  return make("p", { class: "saving" }, Object.entries(files).map(([ending, content]) => make("button", {
    type: "button", "aria-label": `Save as ${ending}`,
    click: async () => { const found = await content(); save(`${name()}.${ending.toLowerCase()}`, found instanceof Blob ? found : new Blob([found], { type: TYPES[ending] })); },
  }, ending)));
}
