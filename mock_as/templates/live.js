"use strict";
{
  const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  // Without a script there is nothing to press: what can be copied is on the page anyway.
  const offer = () => each("button[data-copy]", (button) => (button.hidden = false));

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const words = button.textContent;
    await copy(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = words), 1200);
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-go]")) event.target.form.requestSubmit();
  });

  // What has happened meanwhile is fetched as a page, and the parts of it that are live take the place of the old ones.
  const refresh = async () => {
    const response = await fetch(location.href);
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    each("[data-live]", (part) => {
      const other = fresh.getElementById(part.id);
      if (!other || other.innerHTML === part.innerHTML || part.contains(document.activeElement)) return;
      part.innerHTML = other.innerHTML;
    });
    offer();
  };

  let due = null;
  const soon = () => (due ??= setTimeout(() => { due = null; refresh().catch(() => {}); }, 150));

  const events = document.body.dataset.events;
  if (events && document.querySelector("[data-live]")) {
    const source = new EventSource(events);
    source.onmessage = source.onopen = soon;
    source.addEventListener("request", soon);
    addEventListener("pagehide", () => source.close());
    addEventListener("focus", soon);
  }

  each("time[data-ticking]", (time) => {
    const ahead = Number(time.dataset.ticking) * 1000 - Date.now();
    setInterval(() => {
      time.textContent = new Date(Date.now() + ahead).toISOString().replace("T", " ").slice(0, 19) + " UTC";
    }, 1000);
  });

  offer();
  each("form[data-submit-now]", (form) => form.submit());
}
