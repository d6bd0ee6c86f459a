/**
 * The report of the last training: how well each label is recognised, with what it is confused, and what was left out.
 * @module
 */
import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { openDialog } from '../core/dialog.js';
import { count, h, plural } from '../core/dom.js';
import { toast } from '../core/toast.js';
import { meter, percent } from '../panels/plots.js';
import { showPanel } from '../panels/side.js';
import { learningCurve } from './learningcurve.js';
import { showLike } from './menus.js';

/**
 * Shows the report.
 * @param {{train: () => void, classify: () => void}} commands  what its buttons open
 */
export async function openReport({ train, classify }) {
  const { report } = await api.ask('training');
  if (!report) {
    toast(
      app.overview?.classifier
        ? 'The classifier tells nothing of its training: antrax did not train it.'
        : 'There is no classifier yet: train one first.',
    );
    return;
  }
  let isWeakestFirst = true;
  const table = h('div.report-table');
  const drawTable = () => table.replaceChildren(labelsTable(sorted(report.labels, isWeakestFirst), close));
  const order = [
    { title: 'Weakest first', weakest: true },
    { title: 'Listed', weakest: false },
  ].map(({ title, weakest }) =>
    h('button', { type: 'button', 'aria-pressed': String(weakest), onclick: () => sort(weakest) }, title),
  );

  /** @param {boolean} weakest */
  function sort(weakest) {
    isWeakestFirst = weakest;
    order.forEach((button, i) => button.setAttribute('aria-pressed', String(weakest === (i === 0))));
    drawTable();
  }

  const dialog = openDialog({
    title: 'The last training',
    wide: true,
    body: h(
      'div.report',
      {},
      h('p', {}, whatItWas(report)),
      h('p', {}, howGoodItIs(report)),
      report.colors && h('p.report-colors', {}, colorsText(report.colors)),
      warnings(),
      h(
        'section',
        { 'aria-labelledby': 'report-labels' },
        h(
          'header.report-head',
          {},
          h('h3', { id: 'report-labels' }, 'Labels'),
          h('div.segmented', { role: 'group', 'aria-label': 'Order of the labels' }, order),
        ),
        table,
      ),
      report.doubtful.length > 0 && doubtful(report, close),
      report.confusion.length > 0 && confusion(report),
      report.epochs.length > 1 && curve(report),
      leftOut(report),
    ),
    actions: [
      { title: 'Train again…', left: true, run: () => void setTimeout(train) },
      { title: 'Close' },
      { title: 'Classify…', primary: true, run: () => void setTimeout(classify) },
    ],
  });
  function close() {
    dialog.close();
  }
  drawTable();
}

/** @param {import('messages').TrainingReport} report */
function whatItWas({ time, seconds, used, tracklets }) {
  const at = new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
  return [
    `Trained on ${at}, in ${minutes(seconds)}, on `,
    h('strong', {}, plural(used, 'example')),
    ` of ${plural(tracklets, 'tracklet')}.`,
  ];
}

/** @param {number} seconds */
function minutes(seconds) {
  return seconds < 90 ? plural(Math.round(seconds), 'second') : plural(Math.round(seconds / 60), 'minute');
}

/** @param {import('messages').TrainingReport} report */
function howGoodItIs({ held_out_tracklets: heldOut, image_accuracy: images, tracklet_accuracy: tracklets }) {
  if (images === null || tracklets === null)
    return 'How good it is was not measured: there were too few tracklets to hold some out of training.';
  return [
    `On ${plural(heldOut, 'tracklet')} held out of training, `,
    h('strong', {}, percent(images)),
    ' of the images and ',
    h('strong', {}, percent(tracklets)),
    ' of the tracklets get the right label, before those that are not sure are left Unknown.',
  ];
}

/** @param {import('messages').ScoredColors} colors */
function colorsText({ places, ids, without_examples: without, calibrated_on: number, threshold }) {
  const shown = places.map((each, i) => `${each.join(' ')} at place ${i + 1}`).join(', ');
  const how = `The network scores the colour of each tag (${shown}), which ${plural(ids, 'ID')} share. `;
  if (!without.length) return [how, 'All of these have examples.'];
  const names = [h('strong', {}, plural(without.length, 'ID')), ` without examples (${without.join(', ')})`];
  const of = number === null ? '' : ` of ${plural(number, 'tracklet')} of IDs that were left out`;
  return [
    how,
    names,
    threshold === null
      ? ` ${without.length === 1 ? 'is' : 'are'} not given yet: how sure one can be of a code alone is not known, for there are too few examples.`
      : ` ${without.length === 1 ? 'is' : 'are'} known by their code alone, and given from a confidence of ${percent(threshold)} on, a limit${of}.`,
  ];
}

function warnings() {
  const { classifier } = /** @type {import('messages').Overview} */ (app.overview);
  const lines = [
    classifier?.poor && 'This is a poor network: train it longer, and look for examples under wrong labels.',
    classifier?.why,
  ].filter(Boolean);
  return (
    lines.length > 0 &&
    h(
      'ul.notes',
      {},
      lines.map((line) => h('li', {}, line)),
    )
  );
}

/**
 * @param {import('messages').TrainingReport['labels']} labels
 * @param {boolean} isWeakestFirst  those that were not measured come last
 */
function sorted(labels, isWeakestFirst) {
  return isWeakestFirst ? [...labels].sort((a, b) => (a.right ?? 2) - (b.right ?? 2)) : labels;
}

/**
 * @param {import('messages').TrainingReport['labels']} labels
 * @param {() => void} close
 */
function labelsTable(labels, close) {
  const columns = ['Label', 'Images right', 'Held out', 'Most confused with', 'Examples now', ''];
  return h(
    'table.report-labels',
    {},
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        columns.map((title) => (title ? h('th', { scope: 'col' }, title) : h('td'))),
      ),
    ),
    h(
      'tbody',
      {},
      labels.map((row) => labelRow(row, close)),
    ),
  );
}

/**
 * @param {import('messages').LabelFigures} row
 * @param {() => void} close
 */
function labelRow(row, close) {
  const { label, category, right, examples, trained } = row;
  const added = examples - trained;
  const isMeasured = right !== null;
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, h('span.swatch', { class: category }), label),
    h('td.report-right', {}, isMeasured ? [meter(right, category), percent(right)] : 'not measured'),
    h(
      'td.report-number',
      {},
      isMeasured ? `${plural(row.held_out_images, 'image')} of ${plural(row.held_out_tracklets, 'tracklet')}` : '',
    ),
    h('td', {}, row.confused_with === null ? '' : `${row.confused_with} (${percent(row.confused_share ?? 0)})`),
    h(
      'td.report-number',
      {},
      `${count(examples)} of ${plural(row.tracklets, 'tracklet')}`,
      added > 0 && h('span.report-added', {}, ` +${count(added)}`),
    ),
    h(
      'td',
      {},
      app.overview?.classified &&
        h(
          'button',
          {
            type: 'button',
            title: `Tracklets that look like ${label}, the most useful first`,
            'aria-label': `Show tracklets like ${label}`,
            onclick: () => {
              close();
              showLike(label);
            },
          },
          'Show tracklets',
        ),
    ),
  );
}

/**
 * @param {import('messages').TrainingReport} report
 * @param {() => void} close
 */
function doubtful({ doubtful: rows }, close) {
  return h(
    'details',
    { open: true },
    h('summary', {}, `Doubtful examples (${plural(rows.length, 'tracklet')})`),
    h(
      'p.hint',
      {},
      'Held-out tracklets that look like another label than the one under which they are. Some are hard; others are labelled wrongly, ',
      'and a wrong example costs more than ten right ones gain.',
    ),
    h(
      'ul.report-doubtful',
      {},
      rows.map((row) => h('li', {}, doubtfulRow(row, close))),
    ),
  );
}

/**
 * @param {import('messages').DoubtfulExample} row
 * @param {() => void} close
 */
function doubtfulRow({ tracklet, experiment, own, label, looks_like: other, share, images }, close) {
  const look = () => {
    close();
    showPanel('label');
    app.goTo(tracklet);
  };
  return [
    own ? h('button.link', { type: 'button', onclick: look }, tracklet) : h('span', {}, `${tracklet} of ${experiment}`),
    ' is under ',
    h('strong', {}, label),
    ' and looks like ',
    h('strong', {}, other),
    ` in ${percent(share)} of ${plural(images, 'image')}`,
  ];
}

/** @param {import('messages').TrainingReport} report */
function confusion({ labels, confusion: rows }) {
  return h(
    'details',
    { open: labels.length <= 24 },
    h('summary', {}, 'Which labels are confused'),
    h('p.hint', {}, 'Held-out images by their true label (a row each) and the label that they get, in % of the row.'),
    h(
      'div.report-matrix',
      { tabIndex: 0, role: 'group', 'aria-label': 'Which labels are confused' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('td'),
            labels.map(({ label }) => h('th', { scope: 'col' }, h('span', {}, label))),
          ),
        ),
        h(
          'tbody',
          {},
          rows.map((row, i) => matrixRow(labels, row, i)),
        ),
      ),
    ),
  );
}

/**
 * @param {import('messages').LabelFigures[]} labels
 * @param {number[]} row  held-out images of a label, by the label that the network gives them
 * @param {number} i  index of the label
 */
function matrixRow(labels, row, i) {
  const total = row.reduce((sum, images) => sum + images, 0);
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, labels[i].label),
    row.map((images, j) => {
      const share = total ? images / total : 0;
      const cell = h(
        'td',
        {
          class: i === j ? 'right' : 'wrong',
          title: images ? `${labels[i].label} → ${labels[j].label}: ${plural(images, 'image')} of ${count(total)}` : '',
        },
        images ? (share < 0.01 ? '<1' : String(Math.round(100 * share))) : '',
      );
      cell.style.setProperty('--share', `${Math.round(100 * Math.sqrt(share))}%`);
      return cell;
    }),
  );
}

/** @param {import('messages').TrainingReport} report */
function curve({ epochs }) {
  return h('details', {}, h('summary', {}, 'Learning curve'), learningCurve(epochs));
}

/** @param {import('messages').TrainingReport} report */
function leftOut({ files, used, capped, without_tracklet: nameless, meanwhile, left_out: reasons }) {
  const lines = [
    capped > 0 &&
      `${count(capped)} of ${count(files)} images were not used: training takes no more of one tracklet and label.`,
    nameless > 0 &&
      `The names of ${plural(nameless, 'image')} tell no tracklet: none of them was held out of training to measure.`,
    meanwhile > 0 && `${plural(meanwhile, 'example')} changed while it was trained; the next training counts them.`,
    ...reasons,
  ].filter(Boolean);
  return (
    lines.length > 0 &&
    h(
      'details',
      { open: lines.length <= 5 },
      h('summary', {}, `What was left out (${count(used)} of ${plural(files, 'image')} used)`),
      h(
        'ul.report-left-out',
        {},
        lines.map((line) => h('li', {}, line)),
      ),
    )
  );
}
