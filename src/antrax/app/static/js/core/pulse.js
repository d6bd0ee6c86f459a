/** Polling of the server for changes: others' exports, new results, progress of a job. Paused while the tab is hidden. */

import { api } from './api.js';
import { noteVersions } from './app.js';
import { emit } from './bus.js';

const EVERY = 2500;
const EVERY_WITH_JOB = 1000;
const LIMIT = 8000; // a tunnel that dropped is noticed after so long

let timer = 0;
/** @type {import('messages').JobState|null} */
let job = null;

/** Asks now, and from now on. */
export async function pulse() {
  clearTimeout(timer);
  const opened = api.opened;
  if (opened && !document.hidden) {
    try {
      const answer = await api.ask('pulse', {}, { limit: LIMIT });
      if (opened === api.opened) {
        const hadJob = job !== null;
        job = answer.job;
        if (job || hadJob) emit('job', job);
        noteVersions(answer.versions);
      }
    } catch {
      // The banner tells. What else went wrong shows where it matters.
    }
  }
  clearTimeout(timer);
  timer = setTimeout(pulse, job?.state === 'running' ? EVERY_WITH_JOB : EVERY);
}

/** Begins. Called once. */
export function initPulse() {
  document.addEventListener('visibilitychange', () => !document.hidden && pulse());
  pulse();
}
