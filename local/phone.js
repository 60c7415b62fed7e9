// Keeps the parts of the page that are marked data-live up to date; everything else works without script.
"use strict";

const PERIOD_MS = 1000;

async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) {
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next === null || next.innerHTML === part.innerHTML) {
      continue;
    }
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const typed = [...part.querySelectorAll("input[id]")].map((input) => [input.id, input.value]);
    part.replaceChildren(...next.childNodes);
    for (const [id, value] of typed) {
      const input = document.getElementById(id);
      if (input) {
        input.value = value;
      }
    }
    if (focused) {
      document.getElementById(focused)?.focus();
    }
  }
}

async function keepUp() {
  if (!document.hidden) {
    try {
      await refresh();
    } catch {
      // The stack was stopped; the page shows what was last known.
    }
  }
  setTimeout(keepUp, PERIOD_MS);
}

setTimeout(keepUp, PERIOD_MS);
