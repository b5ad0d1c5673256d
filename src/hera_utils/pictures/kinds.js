"use strict";
// Pictures of an output against inputs: lines, points, bars, a heat map, parallel coordinates, a histogram.

const MOST_CURVES = 2500;
const MOST_COLOURS = 6; // values of a number that are told apart by their colours; more of them have a scale

/** A mean as the pointer tells it; of a single value that value. */
const meanInWords = (one) => `${short(one.mean)}${one.count > 1 ? ` ± ${brief(one.error)} (mean of ${one.count}, ${short(one.low)} to ${short(one.high)})` : ""}`;
const reach = (what, state) => `${what} ${state.band === "error" ? "are standard errors" : "reach from the least to the most"}.`;

/** The table behind a picture of means. paths: [value of the series, its means]. */
function meansBehind({ state, series, behind }, paths) {
  const names = [state.x, ...(series ? [state.series] : []), "mean", "standard_error", "least", "most", "count"].map((name, n) => (n < (series ? 2 : 1) ? name : `${state.output}.${name}`));
  behind({ names, rows: paths.flatMap(([name, path]) => path.map((one) => [one.key, ...(series ? [name] : []), one.mean, one.error, one.low, one.high, one.count])) });
}

function lines(given) {
  const { context, width, state, x, y, series, rows, hit, note } = given, errors = state.band === "error", groups = grouped(series, rows);
  const paths = groups.map(([name, own]) => [name, gathered(x, y, own, errors)]), several = paths.some(([, path]) => path.some((one) => one.count > 1));
  // the axis reaches as far as what is drawn; a logarithm has no place for what a band reaches below zero
  const shown = { ...y, values: several ? paths.flatMap(([, path]) => path.flatMap((one) => [one.from, one.mean, one.to])).filter((value) => !state.log || value > 0) : y.values };
  const named = series && groups.length <= 12, across = scale(x, rows, state.logX), up = scale(shown, several ? shown.values.map((_, n) => n) : rows, state.log);
  const right = named ? Math.min(width * 0.3, 14 + Math.max(...groups.map(([name]) => context.measureText(String(name)).width))) : 12;
  const { px, py, box } = frame(given, across, up, [state.x, state.output], right);
  const ends = [], bottom = (value) => (state.log ? Math.max(value, up.low) : value);
  paths.forEach(([name, path], n) => {
    const shade = seriesColour(n, groups.length);
    context.strokeStyle = shade; context.fillStyle = shade;
    if (path.some((one) => one.count > 1)) {
      context.globalAlpha = 0.16; context.beginPath();
      path.forEach((one) => context.lineTo(px(across.of(one.key)), py(up.of(one.to))));
      [...path].reverse().forEach((one) => context.lineTo(px(across.of(one.key)), py(up.of(bottom(one.from)))));
      context.fill(); context.globalAlpha = 1;
    }
    context.lineWidth = groups.length > 12 ? 1.1 : 1.8; context.beginPath();
    path.forEach((one) => context.lineTo(px(across.of(one.key)), py(up.of(one.mean))));
    context.stroke();
    for (const one of path) {
      const place = { x: px(across.of(one.key)), y: py(up.of(one.mean)) };
      if (path.length * groups.length < 400) { context.beginPath(); context.arc(place.x, place.y, 2.6, 0, 7); context.fill(); }
      hit({ ...place, text: () => `${state.x} ${short(one.key)}${series ? `\n${state.series} ${name}` : ""}\n${state.output} ${meanInWords(one)}` });
    }
    if (named && path.length) ends.push({ name: String(name), shade, y: py(up.of(path[path.length - 1].mean)) });
  });
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((one, n) => { if (n) one.y = Math.max(one.y, ends[n - 1].y + 13); });
  const over = ends.length ? ends[ends.length - 1].y - (box.bottom - 4) : 0;
  if (over > 0) { ends[ends.length - 1].y -= over; for (let n = ends.length - 2; n >= 0; n -= 1) ends[n].y = Math.min(ends[n].y, ends[n + 1].y - 13); }
  context.textAlign = "left"; context.textBaseline = "middle";
  for (const one of ends) { context.fillStyle = one.shade; context.fillText(fitted(context, one.name, right - 8), box.right + 6, one.y); }
  if (ends.length) { context.fillStyle = colour("faint"); context.textAlign = "right"; context.textBaseline = "alphabetic"; context.fillText(fitted(context, state.series, 150), width - 2, 14); }
  if (several) meansBehind(given, paths);
  if (several) note.textContent = `Lines are means; ${reach("bands", state)}`;
  else if (series && !named) note.textContent = `${groups.length} lines, one value of ${state.series} each: hold the pointer over one.`;
}

function points(given) {
  const { context, state, x, y, series, rows, hit, key } = given, across = scale(x, rows, state.logX), up = scale(y, rows, state.log);
  const values = series ? grouped(series, rows).map(([name]) => name) : [], shades = series?.numeric && values.length > MOST_COLOURS ? scale(series, rows) : null, names = shades ? [] : values;
  const { px, py } = frame(given, across, up, [state.x, state.output], shades ? 70 : 12);
  const radius = rows.length > 3000 ? 1.6 : rows.length > 500 ? 2.2 : 3.4;
  context.globalAlpha = rows.length > 3000 ? 0.55 : 0.8;
  const numbers = new Map(names.map((name, n) => [name, n]));
  for (const row of rows) {
    const place = { x: px(across.of(x.values[row])), y: py(up.of(y.values[row])) };
    context.fillStyle = shades ? ramp(shades.of(series.values[row])) : seriesColour(series ? numbers.get(series.values[row]) : 0, Math.max(1, names.length));
    context.beginPath(); context.arc(place.x, place.y, radius, 0, 7); context.fill();
    hit({ ...place, text: () => `${state.x} ${short(x.values[row])}${series ? `\n${state.series} ${short(series.values[row])}` : ""}\n${state.output} ${short(y.values[row])}` });
  }
  context.globalAlpha = 1;
  if (shades) { colourBar(given, shades.low, shades.high); context.textAlign = "right"; context.fillText(fitted(context, state.series, 150), given.width - 2, 16); }
  names.slice(0, 12).forEach((name, n) => key(series.numeric ? short(name) : String(name), seriesColour(n, names.length)));
}

function bars(given) {
  const { context, state, x, y, rows, hit, note } = given, all = gathered(x, y, rows, state.band === "error"), least = Math.min(0, ...all.map((one) => one.from)), most = Math.max(0, ...all.map((one) => one.to));
  const names = all.map((one) => short(one.key)), across = { names, of: (n) => (n + 0.5) / names.length, marks: names.map((name, n) => [(n + 0.5) / names.length, name]) };
  const up = { of: (value) => (value - least) / (most - least || 1), marks: (count) => ticks(least, most, count).map((value) => [(value - least) / (most - least || 1), short(value)]) };
  const { px, py, box } = frame(given, across, up, [state.x, state.output]), wide = ((box.right - box.left) / all.length) * 0.72;
  all.forEach((one, n) => {
    const left = px(across.of(n)) - wide / 2, zero = py(up.of(0)), end = py(up.of(one.mean));
    context.fillStyle = colour("c0"); context.globalAlpha = 0.85; context.fillRect(left, Math.min(zero, end), wide, Math.max(1, Math.abs(end - zero))); context.globalAlpha = 1;
    if (one.count > 1) { context.strokeStyle = colour("ink"); context.beginPath(); context.moveTo(left + wide / 2, py(up.of(one.from))); context.lineTo(left + wide / 2, py(up.of(one.to))); context.stroke(); note.textContent = `Bars are means; ${reach("strokes", state)}`; }
    hit({ x: left, w: wide, y: box.top, h: box.bottom - box.top, text: () => `${state.x} ${short(one.key)}\n${state.output} ${meanInWords(one)}` });
  });
  if (all.some((one) => one.count > 1)) meansBehind({ ...given, series: null }, [["", all]]);
}

function heat(given) {
  const { context, state, x, y, series, rows, hit, note } = given;
  if (!series) return;
  const ordered = (column) => { const found = [...new Set(rows.map((row) => column.values[row]))]; return column.numeric ? found.sort((a, b) => a - b) : found; };
  const columns = ordered(x), lines = ordered(series), cells = new Map();
  const axis = (values) => ({ names: values, of: (n) => (n + 0.5) / values.length, marks: values.map((value, n) => [(n + 0.5) / values.length, short(value)]) });
  for (const row of rows) { const key = `${x.values[row]}\u0001${series.values[row]}`, one = cells.get(key) || { key: x.values[row], values: [] }; one.values.push(y.values[row]); cells.set(key, one); }
  let low = Infinity, high = -Infinity;
  for (const [place, cell] of cells) { const one = meanOf(cell.key, cell.values); cells.set(place, one); low = Math.min(low, one.mean); high = Math.max(high, one.mean); }
  if ([...cells.values()].some((one) => one.count > 1)) {
    note.textContent = "Cells are means of several values.";
    meansBehind(given, lines.map((line) => [line, columns.map((column) => cells.get(`${column}\u0001${line}`)).filter(Boolean)]));
  }
  const { box } = frame(given, axis(columns), axis(lines), [state.x, state.series], 70), wide = (box.right - box.left) / columns.length, tall = (box.bottom - box.top) / lines.length;
  columns.forEach((column, i) => lines.forEach((line, j) => {
    const one = cells.get(`${column}\u0001${line}`);
    if (!one) return;
    // whole pixels: no seams between cells
    const left = Math.round(box.left + i * wide), top = Math.round(box.bottom - (j + 1) * tall);
    const right = Math.round(box.left + (i + 1) * wide), bottom = Math.round(box.bottom - j * tall);
    context.fillStyle = ramp((one.mean - low) / (high - low || 1));
    context.fillRect(left, top, Math.max(1, right - left - (wide > 12 ? 1 : 0)), Math.max(1, bottom - top - (tall > 12 ? 1 : 0)));
    hit({ x: left, y: top, w: wide, h: tall, text: () => `${state.x} ${short(column)}\n${state.series} ${short(line)}\n${state.output} ${meanInWords(one)}` });
  }));
  colourBar(given, low, high);
  context.textAlign = "right"; context.textBaseline = "alphabetic"; context.fillText(fitted(context, state.output, 160), given.width - 2, 14);
}

function parallel(given) {
  const { context, width, tall, state, y, rows, columns, axes, note } = given;
  const shown = [...axes.slice(0, 9), state.output].map((name) => columns[name]), scales = shown.map((column) => scale(column, rows, wide(column, rows))), shade = scale(y, rows, wide(y, rows));
  const room = (axis) => Math.max(20, ...marksOf(axis, 4).map(([, text]) => context.measureText(text).width));
  const left = 12 + Math.min(110, room(scales[0])), right = width - 12 - Math.min(90, room(scales[scales.length - 1])), top = 34, bottom = tall - 14, at = (n) => left + (n / (shown.length - 1)) * (right - left), up = (share) => bottom - share * (bottom - top);
  const each = Math.max(1, Math.ceil(rows.length / MOST_CURVES));
  context.lineWidth = 1; context.globalAlpha = Math.max(0.08, Math.min(0.8, 250 / rows.length));
  for (let n = 0; n < rows.length; n += each) {
    const row = rows[n];
    context.strokeStyle = ramp(shade.of(y.values[row])); context.beginPath();
    shown.forEach((column, k) => { const share = scales[k].of(column.values[row]); if (Number.isFinite(share)) context.lineTo(at(k), up(share)); });
    context.stroke();
  }
  context.globalAlpha = 1; context.lineWidth = 1;
  shown.forEach((column, k) => {
    context.strokeStyle = colour("faint"); context.beginPath(); context.moveTo(at(k), top); context.lineTo(at(k), bottom); context.stroke();
    context.fillStyle = colour("ink"); context.textAlign = k ? (k === shown.length - 1 ? "right" : "center") : "left"; context.textBaseline = "alphabetic";
    context.fillText(fitted(context, column.name, ((right - left) / (shown.length - 1)) * 0.95), k ? (k === shown.length - 1 ? width - 4 : at(k)) : 4, 14);
    context.fillStyle = colour("faint"); context.textBaseline = "middle"; context.textAlign = k === shown.length - 1 ? "left" : "right";
    const marks = marksOf(scales[k], 4), step = Math.ceil(marks.length / 9);
    marks.forEach(([share, text], n) => { if (n % step === 0) { context.fillStyle = colour("ground"); const words = fitted(context, text, 108), long = context.measureText(words).width, x = k === shown.length - 1 ? at(k) + 5 : at(k) - 5; context.globalAlpha = 0.75; context.fillRect(k === shown.length - 1 ? x - 1 : x - long - 1, up(share) - 7, long + 2, 14); context.globalAlpha = 1; context.fillStyle = colour("ink"); context.fillText(words, x, up(share)); } });
  });
  note.textContent = each > 1 ? `One line in ${each} of ${short(rows.length)} is drawn; its colour is ${state.output}.` : `One line per row; its colour is ${state.output}.`;
}

function histogram(given) {
  const { context, state, y, rows, hit } = given, values = rows.map((row) => y.values[row]), low = Math.min(...values), high = Math.max(...values);
  const count = high > low ? Math.max(5, Math.min(50, Math.round(Math.sqrt(values.length)))) : 1, step = (high - low) / count || 1, bins = new Array(count).fill(0);
  for (const value of values) bins[Math.min(count - 1, Math.floor((value - low) / step))] += 1;
  const most = Math.max(...bins), across = { of: (value) => (value - low) / (step * count), marks: (n) => ticks(low, low + step * count, n).map((value) => [(value - low) / (step * count), short(value)]) };
  const up = { of: (n) => n / most, marks: (n) => ticks(0, most, Math.min(n, most)).map((value) => [value / most, short(value)]) };
  const { px, py } = frame(given, across, up, [state.output, "how many"]);
  bins.forEach((number, n) => {
    const left = px(across.of(low + n * step)), wide = px(across.of(low + (n + 1) * step)) - left;
    context.fillStyle = colour("c0"); context.fillRect(left, py(up.of(number)), wide - 1, py(0) - py(up.of(number)));
    hit({ x: left, w: wide, y: 0, h: given.tall, text: () => `${short(low + n * step)} to ${short(low + (n + 1) * step)}\n${number}` });
  });
}
