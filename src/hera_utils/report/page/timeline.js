"use strict";
// When each task of the story ran.

function timeline() {
  const { start, length, waited, statuses, status } = story.timeline;
  if (!start.some((begin, n) => begin >= 0 && !["Skipped", "Omitted"].includes(statuses[status[n]]))) return null;
  const names = unpacked(story.tables[story.tables.length - 1].columns.find((column) => column.name === "task")).values;
  const now = story.ended === null ? Math.max(...start.map((begin, n) => begin + (length[n] || 0)), 1) : story.ended - story.begun;
  const note = (few) => (story.waiting ? "Argo gives times in whole seconds; waiting for a free place is part of a task's time."
    : few && waited.some(Boolean) ? "Each bar is the time in which a task ran; the thin line before it, that for which it waited for a place, its image and its inputs."
      : "Each bar is the time in which a task ran.");
  const drawn = timelinePicture(`Timeline of ${story.run}`);
  drawn.update({ ...story.timeline, name: (n) => names[n], row: [], now, chosen: -1, note });
  return drawn.element;
}
