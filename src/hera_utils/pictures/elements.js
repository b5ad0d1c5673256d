"use strict";
// What pictures and pages need: elements made of texts (never of HTML), numbers in few characters, colours, a canvas.

/** An element. Attributes go as attributes, functions as listeners; children are elements and texts. */
function make(tag, attributes, ...children) {
  const svg = ["svg", "g", "rect", "path", "text", "title", "defs", "marker"].includes(tag) && attributes?.svg !== false;
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "svg" || value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table's column with its values, whichever way they were packed. */
function unpacked(column) {
  const values = column.words ? column.at.map((place) => column.words[place]) : column.values;
  const numeric = column.kind === "integer" || column.kind === "number";
  return { ...column, numeric, values: numeric ? values.map((value) => (value === null ? null : Number(value.toString().replace(/^(-?)inf$/, "$1Infinity")))) : values };
}

/** A number in few characters: years stay years, large numbers get thin spaces. */
function short(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e12) {
    const text = String(value);
    return Math.abs(value) < 1e4 ? text : text.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  }
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e7) ? value.toExponential(2).replace(/\.?0*e\+?/, "e") : String(Number(value.toPrecision(5)));
}

// A picture that is saved has the colours of daylight: those of the rules for all, whatever the page wears.
let daylight = null;
function colour(name) {
  return (daylight || getComputedStyle(document.documentElement)).getPropertyValue(`--${name}`).trim();
}
function inDaylight(draw) {
  const rules = [...document.styleSheets[0].cssRules].filter((rule) => rule.selectorText === ":root");
  daylight = { getPropertyValue: (name) => rules.map((rule) => rule.style.getPropertyValue(name)).find(Boolean) || "" };
  try { return draw(); } finally { daylight = null; }
}

// From dark blue over green to yellow, even in lightness (and in a colour blind eye); each page leaves out the end that is near its ground.
const RAMP = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const night = matchMedia("(prefers-color-scheme: dark)");
function ramp(share) {
  const kept = (night.matches && !daylight ? 0.16 : 0) + Math.min(1, Math.max(0, share)) * 0.84, place = kept * (RAMP.length - 1), low = Math.min(RAMP.length - 2, Math.floor(place));
  const mix = RAMP[low].map((one, n) => Math.round(one + (RAMP[low + 1][n] - one) * (place - low)));
  return `rgb(${mix.join(",")})`;
}

const tip = document.getElementById("tip");
function showTip(text, event) {
  if (!text) { tip.hidden = true; return; }
  tip.textContent = text;
  tip.hidden = false;
  const width = tip.offsetWidth, height = tip.offsetHeight;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 18}px`;
}

/** A canvas that is drawn again when its width, its height or the colours change. draw(context, width, height); told(x, y) → text. */
function picture(height, label, draw, told) {
  const element = make("canvas", { role: "img", "aria-label": label });
  const paint = () => {
    const width = element.clientWidth, tall = typeof height === "function" ? height(width) : height, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    element.style.height = `${tall}px`;
    element.width = Math.round(width * ratio);
    element.height = Math.round(tall * ratio);
    const context = element.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, tall);
    context.font = "12px system-ui, sans-serif";
    draw(context, width, tall);
  };
  const size = () => [element.clientWidth, typeof height === "function" ? height(element.clientWidth) : height];
  let last = 0;
  new ResizeObserver(() => requestAnimationFrame(() => { if (element.clientWidth !== last) { last = element.clientWidth; paint(); } })).observe(element);
  night.addEventListener("change", paint);
  addEventListener("beforeprint", paint);
  if (told) {
    element.addEventListener("pointermove", (event) => {
      const box = element.getBoundingClientRect();
      showTip(told(event.clientX - box.left, event.clientY - box.top), event);
    });
    element.addEventListener("pointerleave", () => showTip(""));
  }
  return { element, paint, draw, size };
}

/** Round numbers between two, about `count` of them. */
function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}

/** A text cut to a width. */
function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end = Math.floor(end * 0.85);
  return `${text.slice(0, end)}…`;
}

const choice = (title, options, value, changed) =>
  make("label", {}, title, make("select", { change: (event) => changed(event.target.value) },
    options.map((one) => make("option", { value: one.value ?? one, selected: (one.value ?? one) === value }, one.title ?? one))));
