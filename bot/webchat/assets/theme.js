// Runs before the first paint, so that nobody is flashed with the wrong theme.
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
