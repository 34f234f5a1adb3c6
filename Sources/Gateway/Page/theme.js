// Runs before the page is drawn: the theme that was chosen, or the system's.
{
  const theme = localStorage.getItem("phalanx.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
