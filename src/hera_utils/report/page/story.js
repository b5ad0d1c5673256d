"use strict";
// What the parts of the report share beside the pictures: the story, seconds and moments in words, colours of phases.

const story = JSON.parse(document.getElementById("story").textContent);
const MARKS = { Succeeded: "✔", Failed: "✘", Error: "✘", Running: "●", Skipped: "–", Omitted: "–", Pruned: "–" };

/** Seconds in words. */
function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 2 ? 2 : 1))} s`;
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours} h ${String(minutes).padStart(2, "0")} min` : `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
}

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

const PHASE_COLOURS = { Succeeded: "good", Failed: "bad", Error: "bad", Running: "busy", Pending: "wait", Waiting: "wait", Skipped: "idle", Omitted: "idle", Pruned: "idle" };
const phaseColour = (phase) => colour(PHASE_COLOURS[phase] || "wait");
