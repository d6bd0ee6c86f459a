/**
 * What happened, told to whoever wants to know.
 *
 * Events and their details:
 *   session     {overview}            another experiment or session is open
 *   overview    {overview}            its labels or results changed
 *   tracklet    info                  another tracklet is on the screen, or more is known about the same one; null: none yet
 *   label       label|null            another label is chosen
 *   versions    {changed, versions}   somebody, perhaps this page, changed something; `changed` names what
 *   job         job|null              progress of training or classifying
 *   connection  'ok'|'lost'|'refused' whether the server answers
 */
export const bus = new EventTarget();

/**
 * Calls `run(detail)` at each event of that name.
 * @param {string} name
 * @param {(detail: any) => void} run
 * @returns {() => void} ends it
 */
export function on(name, run) {
  const listener = (event) => run(event.detail);
  bus.addEventListener(name, listener);
  return () => bus.removeEventListener(name, listener);
}

/**
 * @param {string} name
 * @param {any} [detail]
 */
export function emit(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}
