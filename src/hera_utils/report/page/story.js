"use strict";
// What the parts of the report share beside the pictures: the story, bytes and moments in words.

const story = JSON.parse(document.getElementById("story").textContent);

/** A number of bytes in words. */
function size(count) {
  if (count === null || count === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  while (power < units.length - 1 && count >= 1024 ** (power + 1)) power += 1;
  const value = count / 1024 ** power;
  return `${power && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

function moment(epoch) {
  return epoch === null ? "" : new Date(epoch * 1000).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}
