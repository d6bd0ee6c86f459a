/** The panels on the right: one at a time. 'panel' on the bus tells which. */

import { emit } from '../core/bus.js';
import { byId } from '../core/dom.js';

/** @typedef {'label'|'trainset'|'check'} Panel */

/** @type {Panel[]} */
const PANELS = ['label', 'trainset', 'check'];

/**
 * @returns {'label'|'trainset'|'check'} the panel that is shown
 */
export function shownPanel() {
  return PANELS.find((name) => !byId(`panel-${name}`).hidden) ?? 'label';
}

/** @param {'label'|'trainset'|'check'} wanted */
export function showPanel(wanted) {
  for (const name of PANELS) {
    const isShown = name === wanted;
    byId(`panel-${name}`).hidden = !isShown;
    const tab = byId(`tab-${name}`);
    tab.setAttribute('aria-selected', String(isShown));
    tab.tabIndex = isShown ? 0 : -1;
  }
  sessionStorage.setItem('antrax.panel', wanted);
  emit('panel', wanted);
}

/** Sets it up. Called once. */
export function initSide() {
  PANELS.forEach((name, n) => {
    const tab = byId(`tab-${name}`);
    tab.addEventListener('click', () => showPanel(name));
    tab.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      const next = PANELS[(n + by + PANELS.length) % PANELS.length];
      showPanel(next);
      byId(`tab-${next}`).focus();
    });
  });
  const last = /** @type {Panel} */ (sessionStorage.getItem('antrax.panel'));
  showPanel(PANELS.includes(last) ? last : 'label');
}
