/** The menus of the top bar: session, filter and order of tracklets. */

import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { ORDERS, browse, openView, randomSeed } from '../core/browse.js';
import { on } from '../core/bus.js';
import { byId, count, fill, h, plural } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { closeMenu, menuItem, openMenu } from '../core/popover.js';
import { openSession } from '../core/session.js';
import { toast, toastError } from '../core/toast.js';
import { showPanel } from '../panels/side.js';

const MANY = 8; // experiments, from which on a field helps to find one
const FILTERS = {
  '': 'All labels',
  '=new': 'Not in the training set',
  '=unclassified': 'Not classified',
  '=ids': 'Any ID',
  '=noids': 'Without an ID',
  '=conflicts': 'In conflict: an ID twice',
  '=disagrees': 'Unlike its examples',
  '=unchecked': 'Not checked',
  '=wrong': 'Marked as wrong',
  '=flagged': 'Flagged',
};
const BELOW = '=below:'; // before a confidence in per cent
const NAMED = '=named:'; // before a part of names
const GROUP = '=group:'; // before the number of a group of look-alikes
const DOUBTS = [50, 80, 95]; // confidences, in per cent, below which one may look
// Before a label: those that have it, or most look like it.
const LIKE = '=like:';
// Which tracklets pass changes with what a person does.
const MADE_ANEW = new Set(['=new', '=disagrees', '=unchecked', '=wrong', '=flagged']);
// Orders that depend on the tracklet shown, or on what is known by now.
const ANEW = ['useful', 'likeness'];
const NONE_OF = {
  '': 'no tracklet with images',
  '=new': 'no tracklet that is not in the training set',
  '=unclassified': 'no tracklet that is not classified',
  '=ids': 'no tracklet with an ID',
  '=noids': 'no tracklet classified without an ID',
  '=conflicts': 'no ID twice at a time',
  '=disagrees': 'no tracklet that looks like another label than that of its examples',
  '=unchecked': 'no classified tracklet without a mark',
  '=wrong': 'no tracklet that is marked as wrong',
  '=flagged': 'no tracklet with a flag',
};

/** Creates the menus. Called once. */
export function initMenus() {
  /** @type {[string, () => void, string, string][]} */
  const menus = [
    ['open-experiment', openExperiments, 'Shift+E', 'Experiment and session'],
    ['open-tracklets', openTracklets, 'Shift+T', 'Which tracklets'],
    ['open-order', openOrder, 'Shift+O', 'In which order'],
  ];
  for (const [id, run, key, title] of menus) {
    byId(id).addEventListener('click', run);
    registerKey({ key, title, group: 'Panels and menus', run });
  }
  on('session', render);
  on('overview', render);
  on('place', render);
}

/** Texts of the buttons. */
function render() {
  const { overview } = app;
  const { view } = browse;
  const set = (id, text, hint) => {
    const button = byId(id);
    fill(button.querySelector('.menu-value'), text);
    button.title = hint;
  };
  if (!overview) return;
  for (const id of ['open-tracklets', 'open-order']) byId(id).disabled = !overview.movies.length;
  set(
    'open-experiment',
    [overview.experiment, h('span.faint', {}, ` / ${overview.session}`)],
    `${overview.path} (Shift+E)`,
  );
  const filter = filterTitle(view);
  if (!overview.movies.length) {
    set('open-tracklets', 'none', 'There are no images');
    return;
  }
  set('open-tracklets', filter, `${filter}: ${plural(browse.count, 'tracklet')} (Shift+T)`);
  set('open-order', ORDERS.find(({ order }) => order === view.order)?.title ?? view.order, 'Order (Shift+O)');
}

function filterTitle({ movie, label, colony }) {
  const parts = [
    movie === null ? 'All movies' : `Movie ${movie}`,
    label && labelTitle(label),
    colony && `Colony ${colony}`,
  ];
  return parts.filter(Boolean).join(' · ');
}

function labelTitle(label) {
  if (label.startsWith(LIKE)) return `Looks like ${label.slice(LIKE.length)}`;
  if (label.startsWith(BELOW)) return `Confidence below ${label.slice(BELOW.length)} %`;
  if (label.startsWith(GROUP)) return `Group ${label.slice(GROUP.length)}`;
  if (label.startsWith(NAMED)) return `“${label.slice(NAMED.length)}” in the name`;
  return FILTERS[label] ?? label;
}

function noneSentence({ movie, label, colony }) {
  const where = movie === null ? 'This session' : `Movie ${movie}`;
  const of = (/** @type {string} */ kind) => label.slice(kind.length);
  let what = NONE_OF[label] ?? `no tracklet classified as ${label}`;
  if (label.startsWith(LIKE)) what = `no tracklet that looks like ${of(LIKE)}`;
  if (label.startsWith(BELOW)) what = `no tracklet with a confidence below ${of(BELOW)} %`;
  if (label.startsWith(GROUP)) what = `no tracklet in group ${of(GROUP)}`;
  if (label.startsWith(NAMED)) what = `no tracklet with “${of(NAMED)}” in its name`;
  return `${where} has ${what}${colony && ` in colony ${colony}`}; the filter stays as it was.`;
}

/** The server ranks by what is known now, and keeps a list as it is for its seed: picked again, it is to be made anew. */
const anew = (change) =>
  change.order === 'useful' || MADE_ANEW.has(change.label) ? { ...change, seed: randomSeed() } : change;

/**
 * Goes to the tracklets of a filter, of all movies and colonies, in an order, beside a panel.
 * @param {{label: string, order: import('messages').Order}} change
 * @param {import('../panels/side.js').Panel} panel
 */
export async function showTracklets(change, panel) {
  const wanted = { movie: null, colony: '', ...change };
  showPanel(panel);
  try {
    const isAny = await openView(anew(wanted));
    if (!isAny) toast(noneSentence(wanted), { kind: 'warn' });
  } catch (error) {
    toastError(error);
  }
}

/**
 * Goes to the tracklets that have a label or most look like it, the most useful first.
 * @param {string} label
 */
export function showLike(label) {
  showTracklets({ label: LIKE + label, order: 'useful' }, 'label');
}

/**
 * Goes to the tracklets that have a text in their names; where there are none, says so.
 * @param {string} text
 */
export async function showNamed(text) {
  const wanted = { ...browse.view, label: NAMED + text };
  if (!(await openView({ label: NAMED + text }))) toast(noneSentence(wanted), { kind: 'warn' });
}

// ---- which tracklets ---------------------------------------------------------------------------------------------------------

function openTracklets() {
  if (!app.overview?.movies.length) return;
  let counts = null;
  let problem = null;
  const menu = openMenu(
    byId('open-tracklets'),
    () => [
      h(
        'div.menu-columns',
        {},
        movieColumn(pick),
        labelColumn(counts, pick),
        app.overview.colonies.length > 0 && colonyColumn(pick),
      ),
      h(
        'div.menu-foot',
        {},
        problem ? h('span.warn', { role: 'alert' }, problem) : plural(browse.count, 'tracklet'),
        h('span.grow'),
        h(
          'span.faint',
          {},
          h('kbd', {}, '↑'),
          h('kbd', {}, '↓'),
          h('kbd', {}, '←'),
          h('kbd', {}, '→'),
          ' Enter; Space leaves this open',
        ),
      ),
    ],
    { key: 'Shift+T' },
  );
  if (!menu) return;
  let counted; // the movie whose labels are counted
  countLabels();

  async function countLabels() {
    const { movie } = browse.view;
    if (counted === movie) return;
    counted = movie;
    try {
      const answer = await api.ask('counts', { movie });
      if (counted !== movie) return;
      counts = answer;
      if (menu.element.isConnected) menu.rebuild();
    } catch (error) {
      toastError(error);
    }
  }

  async function pick(change) {
    try {
      const isAny = await openView(anew(change), app.tracklet?.tracklet ?? null);
      problem = isAny ? null : noneSentence({ ...browse.view, ...change });
      // Space keeps it open, for a choice in another column.
      if (isAny && !menu.keepsOpen()) closeMenu();
      else if (isAny) countLabels();
    } catch (error) {
      problem = error.message;
    }
    if (menu.element.isConnected) menu.rebuild();
    else if (problem) toast(problem, { kind: 'warn' });
  }
}

function column(title, ...content) {
  return h(
    'div.menu-column',
    { role: 'menu', 'aria-label': title },
    h('div.menu-heading', { 'aria-hidden': 'true' }, title),
    content,
  );
}

function movieColumn(pick) {
  const { view } = browse;
  const { movies, without_stack: without } = app.overview;
  return column(
    'Movie',
    menuItem({ title: 'All movies', checked: view.movie === null, run: () => pick({ movie: null }) }),
    movies.map(({ movie, name, classified }) =>
      menuItem({
        title: `Movie ${movie}`,
        small: name,
        hint: name,
        checked: view.movie === movie,
        faint: app.overview.classified && !classified,
        run: () => pick({ movie }),
      }),
    ),
    without > 0 && h('p.menu-note', {}, `${plural(without, 'movie')} without images`),
  );
}

function labelColumn(counts, pick) {
  const { view } = browse;
  const { classified, categories } = app.overview;
  const item = (label, note, faint = false) =>
    menuItem({
      title: labelTitle(label),
      note,
      faint,
      checked: view.label === label,
      run: () => pick({ label }),
    });
  const known = new Set(categories.flatMap(({ labels }) => labels));
  const others = Object.keys(counts?.labels ?? {}).filter((label) => !known.has(label));
  const number = (label) => (counts ? count(counts.labels[label] ?? 0) : '');
  return column(
    'Filter by autoID',
    item(''),
    item('=new'),
    item('=unclassified'),
    item('=flagged'),
    view.label.startsWith(NAMED) && item(view.label),
    classified
      ? [
          item('=ids'),
          item('=noids'),
          item('=conflicts'),
          item('=disagrees'),
          DOUBTS.map((limit) => item(`${BELOW}${limit}`)),
          item('=unchecked'),
          item('=wrong'),
          [...categories.map(({ labels }) => labels), others]
            .filter((labels) => labels.length)
            .map((labels) => [
              h('hr'),
              labels.map((label) => item(label, number(label), counts && !counts.labels[label])),
            ]),
        ]
      : h('p.menu-note', {}, 'Nothing is classified yet.'),
  );
}

function colonyColumn(pick) {
  const { view } = browse;
  const { colonies, colony_problem: problem } = app.overview;
  return column(
    'Colony',
    menuItem({ title: 'All colonies', checked: !view.colony, run: () => pick({ colony: '' }) }),
    colonies.map((colony) => menuItem({ title: colony, checked: view.colony === colony, run: () => pick({ colony }) })),
    problem && h('p.menu-note', {}, problem),
  );
}

// ---- in which order ----------------------------------------------------------------------------------------------------------

function openOrder() {
  if (!app.overview?.movies.length) return;
  const pick = (change) => {
    closeMenu();
    openView(anew(change)).catch(toastError);
  };
  openMenu(
    byId('open-order'),
    () => [
      column(
        'Order',
        ORDERS.map(({ order, title, explain }) =>
          menuItem({
            title,
            small: explain,
            checked: browse.view.order === order,
            run: () =>
              browse.view.order === order && !ANEW.includes(order)
                ? closeMenu()
                : pick({ order, like: order === 'likeness' ? (app.tracklet?.tracklet ?? '') : '' }),
          }),
        ),
        h('hr'),
        menuItem({ title: 'Shuffle anew', run: () => pick({ order: 'random', seed: randomSeed() }) }),
      ),
    ],
    { key: 'Shift+O' },
  );
}

// ---- which session -----------------------------------------------------------------------------------------------------------

async function openExperiments() {
  let answer = null;
  let problem = null;
  let wanted = '';
  const menu = openMenu(byId('open-experiment'), build, { key: 'Shift+E' });
  if (!menu) return;
  try {
    answer = await api.ask('places');
  } catch (error) {
    problem = error.message;
  }
  if (!menu.element.isConnected) return;
  menu.rebuild();
  (
    menu.element.querySelector('input') ??
    menu.element.querySelector('[aria-checked="true"]') ??
    menu.element.querySelector('.menu-item')
  )?.focus();

  function build() {
    if (!answer) return [h('p.menu-note', {}, problem ?? 'Looking …')];
    const fits = ({ experiment, path }) => `${experiment} ${path}`.toLowerCase().includes(wanted);
    const isChoice = answer.places.length > 1 || answer.places[0]?.sessions.length > 1;
    const recent = isChoice ? answer.recent.filter(({ place }) => answer.places.some(({ id }) => id === place)) : [];
    const places = answer.places.filter(fits);
    return [
      answer.places.length > MANY &&
        h('input.menu-search', {
          type: 'search',
          placeholder: 'Find an experiment',
          value: wanted,
          'aria-label': 'Find an experiment',
          oninput: search,
        }),
      recent.length > 0 &&
        !wanted &&
        column(
          'Recent',
          recent.slice(0, 5).map(({ place, session }) =>
            item(
              answer.places.find(({ id }) => id === place),
              session,
              true,
            ),
          ),
        ),
      h(
        'div.menu-column.tall',
        { role: 'menu', 'aria-label': 'Experiments' },
        places.map((place) =>
          place.sessions.length === 1
            ? item(place, place.sessions[0], true)
            : [
                h(
                  'div.menu-heading',
                  { 'aria-hidden': 'true', title: place.path },
                  place.experiment,
                  h('span.path', {}, h('bdi', {}, place.path)),
                ),
                place.sessions.map((session) => item(place, session)),
              ],
        ),
        !places.length && h('p.menu-note', {}, 'No experiment fits.'),
      ),
    ];
  }

  function search(event) {
    wanted = event.target.value.trim().toLowerCase();
    menu.rebuild();
    const field = menu.element.querySelector('input');
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  /** One choice. A session that is the only one of its experiment is found by the experiment's name. */
  function item({ id, experiment, path }, session, isFull = false) {
    const isOpen = api.opened?.place === id && api.opened?.session === session;
    return menuItem({
      title: isFull ? `${experiment} / ${session}` : session,
      small: isFull ? path : undefined,
      hint: path,
      checked: isOpen,
      run: () => {
        closeMenu();
        if (!isOpen) openSession(id, session).catch(toastError);
      },
    });
  }
}
