"use strict";
// From values to places: axes with their marks, the frame around a picture, colours of a series.

const positive = (column, rows) => Boolean(column?.numeric) && rows.every((row) => !(column.values[row] <= 0));

/** Whether a column's numbers are of such different sizes that their logarithms show more. */
function wide(column, rows, times = 50) {
  if (!positive(column, rows)) return false;
  const values = rows.map((row) => column.values[row]).filter(Number.isFinite);
  const low = values.reduce((one, other) => Math.min(one, other), Infinity), high = values.reduce((one, other) => Math.max(one, other), 0);
  return values.length > 2 && high / low >= times;
}

/** From values of a column to 0…1, with marks. Texts stand side by side in the order of their appearance. */
function scale(column, rows, log) {
  if (!column.numeric) {
    const names = [...new Set(rows.map((row) => String(column.values[row] ?? "")))], places = new Map(names.map((name, n) => [name, (n + 0.5) / names.length]));
    return { of: (value) => places.get(String(value ?? "")), marks: names.map((name) => [places.get(name), name]), names };
  }
  let low = Infinity, high = -Infinity;
  for (const row of rows) { const value = column.values[row]; if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); } }
  if (low === Infinity) { low = 0; high = 1; }
  if (low === high) { const pad = Math.abs(low) * 0.1 || 1; low -= pad; high += pad; }
  if (log) {
    const [one, other] = [Math.log10(low), Math.log10(high)];
    const between = (steps) => {
      const found = [];
      for (let power = Math.floor(one); power <= Math.ceil(other); power += 1) for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(6)));
      return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    };
    const values = [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7]].map(between).find((marks) => marks.length > 3) || [low, high];
    return { of: (value) => (Math.log10(value) - one) / (other - one || 1), marks: values.map((value) => [(Math.log10(value) - one) / (other - one || 1), short(value)]), low, high };
  }
  return { of: (value) => (value - low) / (high - low), low, high, marks: (count) => ticks(low, high, count).map((value) => [(value - low) / (high - low), short(value)]) };
}

const marksOf = (axis, count) => (typeof axis.marks === "function" ? axis.marks(count) : axis.marks);

/** Draws the two axes; gives the frame and the way from 0…1 to pixels. Numbers get a little room beside the outermost ones. */
function frame({ context, width, tall }, across, up, names, right = 12) {
  const marks = marksOf(up, tall / 55), left = Math.min(width * 0.3, 16 + Math.max(...marks.map(([, text]) => context.measureText(text).width), 20));
  const box = { left, right: width - right, top: 22, bottom: tall - 38 }, pad = across.names ? 0 : 10, padUp = up.names ? 0 : 8;
  const px = (share) => box.left + pad + share * (box.right - box.left - 2 * pad), py = (share) => box.bottom - padUp - share * (box.bottom - box.top - 2 * padUp);
  context.lineWidth = 1; context.strokeStyle = colour("grid"); context.fillStyle = colour("faint"); context.textBaseline = "middle"; context.textAlign = "right";
  const step = Math.ceil((marks.length * 14) / (box.bottom - box.top));
  marks.forEach(([share, text], n) => {
    if (n % step) return;
    const y = Math.round(py(share)) + 0.5;
    context.beginPath(); context.moveTo(box.left, y); context.lineTo(box.right, y); context.stroke();
    context.fillText(fitted(context, text, left - 10), box.left - 7, y);
  });
  context.textAlign = "center"; context.textBaseline = "top";
  const room = box.right - box.left, below = marksOf(across, room / 80), widest = Math.max(...below.map(([, text]) => context.measureText(text).width), 1);
  const each = Math.max(1, Math.ceil((Math.min(widest + 10, 90) * below.length) / room));
  below.forEach(([share, text], n) => { if (n % each === 0) context.fillText(fitted(context, text, Math.max(24, (room / below.length) * each - 6)), px(share), box.bottom + 7); });
  context.textAlign = "right"; context.textBaseline = "alphabetic";
  context.fillText(fitted(context, names[0], room), box.right, tall - 5);
  context.textAlign = "left";
  context.fillText(fitted(context, names[1], width * 0.7), 2, 12);
  return { box, px, py };
}

/** The rows of each value of the series, in order. */
function grouped(series, rows) {
  const groups = new Map();
  for (const row of rows) {
    const name = series ? series.values[row] : "";
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return [...groups].sort(([a], [b]) => (series?.numeric ? a - b : 0));
}

/** Whether an axis repeats a computation, by its name; results/means.py knows the same names. */
const isSeed = (name) => /^(.*_)?(seeds?|replicates?|replication|repetition|reali[sz]ations?|rep)$/i.test(name);

/** Mean, standard error, least and most of some values. from, to: what is shown around the mean, by errors the standard error. */
function meanOf(key, values, errors) {
  const middle = mean(values), error = standardError(values), low = values.reduce((one, other) => Math.min(one, other)), high = values.reduce((one, other) => Math.max(one, other));
  return { key, mean: middle, error, count: values.length, low, high, from: errors ? middle - (error || 0) : low, to: errors ? middle + (error || 0) : high };
}

/** That of y at each x. */
function gathered(x, y, rows, errors) {
  const found = new Map();
  for (const row of rows) {
    const key = x.values[row];
    if (found.has(key)) found.get(key).push(y.values[row]); else found.set(key, [y.values[row]]);
  }
  const list = [...found].map(([key, values]) => meanOf(key, values, errors));
  return x.numeric ? list.filter((one) => Number.isFinite(one.key)).sort((a, b) => a.key - b.key) : list;
}

const seriesColour = (n, count) => (count <= 10 ? colour(`c${n % 10}`) : ramp(0.1 + (0.8 * n) / (count - 1)));

function colourBar({ context, width, tall }, low, high) {
  const x = width - 14, top = 30, bottom = tall - 46;
  for (let y = top; y < bottom; y += 1) { context.fillStyle = ramp((bottom - y) / (bottom - top)); context.fillRect(x, y, 10, 1.5); }
  context.fillStyle = colour("faint"); context.textAlign = "right"; context.textBaseline = "middle";
  context.fillText(brief(high), width - 18, top + 5); context.fillText(brief(low), width - 18, bottom - 5);
}

/** A number of three digits, for narrow places. */
const brief = (value) => (Number.isInteger(value) && Math.abs(value) < 1e5 ? short(value) : short(Number(value.toPrecision(3))));
