/** Requests to the server. An answer that is an error, or no answer at all, becomes an `ApiError` with a message to show. */

import { emit } from './bus.js';
import { sentence } from './dom.js';

/** An answer that cannot be used. `status` is that of HTTP, or 0 where the server did not answer. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status
   * @param {Partial<import('messages').Problem>} [body]  what the server said
   */
  constructor(message, status, body = {}) {
    super(message);
    this.status = status;
    /** Tells errors that the page deals with itself. */
    this.code = body.code ?? null;
  }
}

/** The status of an error that says no more than that the page itself gave the question up. */
export const UNWANTED = -1;

const NO_ANSWER = 'The server does not answer.';
const STARTED_ANEW = 'The app was started anew. Open its new address in a new tab.';
// A tunnel that dropped swallows requests without a word, so that waiting must end by itself.
const GET_LIMIT = 20_000;
const POST_LIMIT = 120_000;
const GONE = new Set([502, 503, 504]); // what a proxy in between says where the server is away

/** @typedef {{place: string, session: string}} Session  which of the sessions that the server offers */

/** @type {Session|null} */
let opened = null;
/** @type {'ok'|'lost'|'refused'} */
let connection = 'ok';

/** @param {'ok'|'lost'|'refused'} state */
function setConnection(state) {
  if (state === connection) return;
  connection = state;
  emit('connection', state);
}

/**
 * @param {string} path
 * @param {Record<string, any>} [params]
 */
function query(path, params) {
  const given = Object.entries(params ?? {}).filter(([, value]) => value !== null && value !== undefined);
  if (!given.length) return path;
  return `${path}?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}`;
}

/** What is asked without a session. */
const OUTSIDE = new Set(['places', 'opened']);

/**
 * @param {string} name
 * @param {Session|null} session
 */
function address(name, session) {
  if (OUTSIDE.has(name)) return `/api/${name}`;
  if (!session) throw new ApiError('No session is open.', 0);
  return `/api/s/${encodeURIComponent(session.place)}/${encodeURIComponent(session.session)}/${name}`;
}

/**
 * @param {string} url
 * @param {RequestInit} options
 * @param {number} limit  milliseconds
 */
async function send(url, options, limit) {
  let response;
  const ended = AbortSignal.timeout(limit);
  const signal = options.signal ? AbortSignal.any([options.signal, ended]) : ended;
  try {
    response = await fetch(url, { ...options, credentials: 'same-origin', signal });
  } catch {
    if (options.signal?.aborted) throw new ApiError('Not wanted any more.', UNWANTED);
    setConnection('lost');
    throw new ApiError(NO_ANSWER, 0);
  }
  if (GONE.has(response.status)) {
    setConnection('lost');
    throw new ApiError(NO_ANSWER, 0);
  }
  const isJson = response.headers.get('Content-Type')?.startsWith('application/json');
  // Only the guard in front of the app refuses: the cookie is one of an earlier start.
  setConnection(response.status === 403 ? 'refused' : 'ok');
  if (!response.ok) {
    const body = isJson ? await response.json().catch(() => ({})) : {};
    const message =
      response.status === 403 ? STARTED_ANEW : (body.error ?? `The server could not do that (${response.status}).`);
    throw new ApiError(sentence(message), response.status, body);
  }
  return response;
}

/**
 * @param {Response} response
 * @param {'json'|'blob'} how
 * @param {AbortSignal|null} [signal]
 */
async function read(response, how, signal) {
  try {
    return await response[how]();
  } catch {
    if (signal?.aborted) throw new ApiError('Not wanted any more.', UNWANTED);
    setConnection('lost'); // the tunnel dropped in the middle of the answer
    throw new ApiError(NO_ANSWER, 0);
  }
}

export const api = {
  /**
   * Asks something; see `antrax/app/schemas.py` for what can be asked.
   * @template {keyof import('messages').Questions} K
   * @param {K} name
   * @param {import('messages').Questions[K]['request']} [params]  null and undefined are left out
   * @param {{limit?: number, signal?: AbortSignal, within?: Session|null}} [options]  limit: milliseconds; signal: ends it, with an error
   *   of status UNWANTED; within: another session than the open one
   * @returns {Promise<import('messages').Questions[K]['answer']>}
   */
  async ask(name, params, { limit = GET_LIMIT, signal, within = opened } = {}) {
    return read(await send(query(address(name, within), params), { signal }, limit), 'json', signal);
  },

  /**
   * Has something done.
   * @template {keyof import('messages').Commands} K
   * @param {K} name
   * @param {import('messages').Commands[K]['request']} body
   * @param {Session|null} [within]  another session than the open one
   * @returns {Promise<import('messages').Commands[K]['answer']>}
   */
  async tell(name, body, within = opened) {
    const headers = { 'Content-Type': 'application/json', 'X-Antrax': '1' };
    return read(
      await send(address(name, within), { method: 'POST', headers, body: JSON.stringify(body) }, POST_LIMIT),
      'json',
    );
  },

  /**
   * @param {string} url
   * @returns {Promise<Blob>}
   */
  async blob(url) {
    return read(await send(url, {}, GET_LIMIT), 'blob');
  },

  /**
   * The full path of something of the open session: 'overview' → '/api/s/PLACE/SESSION/overview'.
   * @param {string} path
   * @returns {string}
   */
  session(path) {
    return address(path, opened);
  },

  /**
   * The address of an image, for `loadSheet`.
   * @param {string} path  a full path, as of `session`
   * @param {Record<string, any>} params
   * @returns {string}
   */
  imageUrl: query,

  /**
   * Makes `session` speak of this one.
   * @param {string} place
   * @param {string} session
   */
  open(place, session) {
    opened = { place, session };
  },

  /** Which session `session` speaks of: {place, session} or null. */
  get opened() {
    return opened;
  },

  /** 'ok', 'lost' (no answer) or 'refused' (this page's cookie is one of an earlier start). */
  get connection() {
    return connection;
  },
};

function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// A tab that is duplicated takes its storage with it; both then share an undo history, which harms nobody.
let id = sessionStorage.getItem('antrax.client');
if (!id) {
  id = randomId();
  sessionStorage.setItem('antrax.client', id);
}

/** This tab, to the server: whose last export *Undo* takes back. */
export const clientId = id;

/** Who sits here: `who.name` is remembered; until it was given, it is `who.fallback`. */
export const who = {
  fallback: '',
  get name() {
    return localStorage.getItem('antrax.who') || this.fallback;
  },
  set name(name) {
    localStorage.setItem('antrax.who', name.trim().slice(0, 40));
  },
};
