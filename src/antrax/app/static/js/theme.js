/*
 * Light or dark, before the first paint: the system's choice, or the person's. A classic script, for modules run too late for that.
 * `data-theme` on <html> always says which; 'antrax-theme' on the document tells of a change.
 */
(() => {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const chosen = () => {
    try {
      return localStorage.getItem('antrax.theme');
    } catch {
      return null; // storage is forbidden here
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen() ?? (system.matches ? 'dark' : 'light');
    document.dispatchEvent(new Event('antrax-theme'));
  };
  system.addEventListener('change', apply);
  document.addEventListener('antrax-theme-chosen', apply);
  apply();
})();
