// Shows times in the user's time zone and the page's language.
const { lang } = document.documentElement;
const locale = navigator.languages.find((tag) => tag.startsWith(lang)) ?? lang;

export function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.valueOf())) continue;
    time.title = time.dateTime;
    const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if ("long" in time.dataset) time.textContent = date.toLocaleString(locale);
    else if (date.toDateString() === new Date().toDateString()) time.textContent = date.toLocaleTimeString(locale, { ...clock, second: "2-digit" });
    // A delivery of another day: the date instead of the seconds.
    else time.textContent = date.toLocaleString(locale, { ...clock, month: "numeric", day: "numeric" });
  }
}
