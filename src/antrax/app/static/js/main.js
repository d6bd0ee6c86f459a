/** Entry point of the page: creates its parts and opens the session. */

import { api } from './core/api.js';
import { on } from './core/bus.js';
import { initAround } from './views/around.js';
import { initChooser } from './panels/chooser.js';
import { byId, fill, h, icon, plural } from './core/dom.js';
import { pendingExports } from './core/exporting.js';
import { initFrames } from './views/frames.js';
import { showKeys } from './dialogs/help.js';
import { init as initJobs } from './dialogs/jobs.js';
import { initKeys, registerKey } from './core/keys.js';
import { init as initLabels } from './dialogs/labels.js';
import { initMenus } from './dialogs/menus.js';
import { initNextStep } from './panels/nextstep.js';
import { toggleTheme } from './core/prefs.js';
import { initPositions } from './views/positions.js';
import { initPulse, pulse } from './core/pulse.js';
import { initSeen } from './core/seen.js';
import { initSession, openFirst } from './core/session.js';
import { initSide, showPanel } from './panels/side.js';
import { initTracklet, sayEmpty } from './views/tracklet.js';
import { initToasts } from './core/toast.js';
import { init as initTrainset } from './panels/trainset.js';
import { init as initValidation } from './panels/validation.js';
import { initWall } from './views/wall.js';

const SUN =
  'M8 4.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4M8 1v1.4M8 13.6V15M1 8h1.4M13.6 8H15' +
  'M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1';
const MOON = 'M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8Z';
const RETRY = 3000;

const stillWaits = (/** @type {number} */ n) => `${plural(n, 'export')} still ${n === 1 ? 'waits' : 'wait'}`;

/** The banner that is shown while the server does not answer. */
function initBanner() {
  const banner = byId('banner');
  let timer = 0;
  const tell = (/** @type {string} */ state) => {
    clearTimeout(timer);
    banner.className = state;
    banner.hidden = false;
    if (state === 'ok') {
      fill(banner, 'Connected again.');
      timer = setTimeout(() => {
        banner.hidden = true;
      }, 2000);
    } else if (state === 'lost') {
      const waiting = pendingExports();
      fill(
        banner,
        'The server does not answer. Is the SSH tunnel open, and the app running? ',
        waiting
          ? `Leave this tab open: ${stillWaits(waiting)} here and will be written then.`
          : 'This page goes on when it answers.',
        h('button.link', { type: 'button', onclick: pulse }, 'Try now'),
      );
    } else {
      const waiting = pendingExports();
      fill(
        banner,
        'The app was started anew. ',
        waiting
          ? `Open its new address, which is in the terminal, in a NEW tab and leave this one open: ${stillWaits(waiting)} here.`
          : 'Open its new address, which is in the terminal, in a new tab.',
      );
    }
  };
  on('connection', tell);
  on('exports', () => api.connection !== 'ok' && tell(api.connection));
}

function initTheme() {
  const button = byId('open-theme');
  const render = () => fill(button, icon(document.documentElement.dataset.theme === 'dark' ? SUN : MOON));
  document.addEventListener('antrax-theme', render);
  button.addEventListener('click', toggleTheme);
  registerKey({ key: 'Shift+D', title: 'Dark or light', group: 'Panels and menus', run: toggleTheme });
  render();
}

function initPanelKeys() {
  /** @type {[string, import('./panels/side.js').Panel, string][]} */
  const panels = [
    ['Shift+K', 'label', 'Label'],
    ['Shift+P', 'trainset', 'Training set'],
    ['Shift+V', 'check', 'Check'],
  ];
  for (const [key, name, title] of panels) {
    registerKey({ key, title: `Panel ${title}`, group: 'Panels and menus', run: () => showPanel(name) });
  }
  registerKey({ key: '?', title: 'All keys', group: 'Panels and menus', run: showKeys });
  byId('open-keys').addEventListener('click', showKeys);
}

async function open() {
  try {
    await openFirst();
  } catch (error) {
    if (error.status === undefined) console.error(error);
    sayEmpty(error.message, { action: { title: 'Try again', run: open } });
    // Without a session there is no pulse that would notice the server's return.
    if (error.status === 0 && !api.opened) setTimeout(open, RETRY);
  }
}

initSeen();
initKeys();
initBanner();
initTracklet();
initFrames();
initChooser();
initMenus();
initSession();
initPanelKeys();
initTheme();
initTrainset();
initLabels();
initValidation();
initJobs();
initNextStep();
initPositions();
initWall();
initAround();
initSide();
initToasts();
await open();
initPulse();
