/**
 * The examples of one label, all on one page: to find those that do not belong there and move or delete them.
 * @module
 */
import { api, clientId } from '../core/api.js';
import { app, noteVersions } from '../core/app.js';
import { on } from '../core/bus.js';
import { askLabelIn, keyButton, sayIn, setText, signButton } from '../core/controls.js';
import { openDialog } from '../core/dialog.js';
import { count, fill, h, plural, sentence } from '../core/dom.js';
import { noteChange } from '../core/exporting.js';
import { registerKey } from '../core/keys.js';
import { wasSeen } from '../core/seen.js';
import { Montage } from '../views/montage.js';
import { PER_SHEET } from '../core/sheets.js';
import { toastError } from '../core/toast.js';
import { background } from '../views/tracklet.js';

const AUTHOR_PATIENCE = 150; // milliseconds that the cursor must stay at an image until it is asked who added it
/** @type {('fit'|number)[]} */
const SCALES = ['fit', 1, 2, 3, 4, 6];
const KEYS = [
  { key: 'm', title: 'Move the chosen images to another label', run: (gallery) => gallery.askWhere() },
  { key: ['Delete', 'Backspace'], title: 'Move them to the trash folder', run: (gallery) => gallery.trash() },
  { key: 't', title: 'Choose all images of the same tracklet', run: (gallery) => gallery.selectTracklet() },
  { key: 'Ctrl+Z', title: 'Undo', run: (gallery) => gallery.undo() },
  { key: 'Enter', title: 'Open the tracklet of the image', run: (gallery) => gallery.openTracklet() },
  { key: '[', title: 'Label before', run: (gallery) => gallery.goToLabel(-1) },
  { key: ']', title: 'Next label', run: (gallery) => gallery.goToLabel(1) },
  { key: 'Shift+B', title: 'White or black background', run: (gallery) => gallery.switchBackground() },
  { key: '+', title: 'Larger', run: (gallery) => gallery.zoom(1) },
  { key: ['-', '−'], shown: '−', title: 'Smaller', run: (gallery) => gallery.zoom(-1) },
];

/** Its keys into the list of keys. They are the dialog's, which has the keys for itself while it is open. */
export function initGallery() {
  for (const entry of KEYS) registerKey({ ...entry, group: 'Gallery of a label', onlyListed: true });
}

/**
 * Open the gallery of a label.
 * @param {string} label
 */
export function openGallery(label) {
  new Gallery(label);
}

class Gallery {
  constructor(label) {
    this.label = label;
    this.items = [];
    this.labels = [];
    this.changes = 0;
    this.scale = 0;
    this.isChanging = false;
    this.asked = 0;
    this.build();
    const forget = on('versions', ({ changed }) => changed.includes('examples') && this.load());
    this.dialog = openDialog({
      title: 'Examples',
      body: this.body,
      full: true,
      onKey: (name, event) => this.key(name, event),
      onClose: () => {
        forget();
        this.montage.destroy();
      },
    });
    this.area.focus();
    this.load();
  }

  build() {
    this.menu = h('select', { 'aria-label': 'Label', onchange: () => this.show(this.menu.value) });
    this.total = h('span.gallery-total');
    this.area = h('div.gallery-area');
    this.empty = h('p.gallery-empty', { hidden: true });
    this.facts = h('div.gallery-facts');
    this.author = h('span.gallery-author');
    this.authorOf = null;
    this.asking = 0;
    this.status = h('p.gallery-status', { role: 'status' });
    this.where = h('div.gallery-where', { hidden: true });
    this.moveButton = keyButton('', 'M', () => this.askWhere());
    this.trashButton = keyButton('', 'Del', () => this.trash());
    this.trackletButton = keyButton('Select its tracklet', 'T', () => this.selectTracklet());
    this.shades = [
      ['white', 'White'],
      ['black', 'Black'],
    ].map(([value, title]) =>
      h(
        'button',
        { type: 'button', value, title: 'Background (Shift+B)', onclick: () => this.setBackground(value) },
        title,
      ),
    );
    this.undoButton = keyButton('Undo', 'Ctrl Z', () => this.undo());
    this.openButton = keyButton('Open this tracklet', '↵', () => this.openTracklet());
    this.body = h(
      'div.gallery',
      { onclick: (event) => this.giveKeysBack(event) },
      h(
        'div.gallery-bar',
        {},
        signButton('‹', 'The label before ([)', () => this.goToLabel(-1)),
        this.menu,
        signButton('›', 'The next label (])', () => this.goToLabel(1)),
        this.total,
        h('span.grow'),
        h('div.segmented', { role: 'group', 'aria-label': 'Background' }, this.shades),
        h(
          'div.segmented',
          { role: 'group', 'aria-label': 'Zoom' },
          signButton('−', 'Smaller (−)', () => this.zoom(-1)),
          signButton('+', 'Larger (+)', () => this.zoom(1)),
        ),
      ),
      h('div.gallery-main', {}, this.area, this.empty),
      h('div.gallery-line', {}, this.facts, this.openButton, this.trackletButton),
      h(
        'div.gallery-bar',
        {},
        this.status,
        h('span.grow'),
        this.undoButton,
        this.trashButton,
        h('div.gallery-move', {}, this.moveButton, this.where),
      ),
    );
    this.montage = new Montage(this.area, {
      selectable: true,
      label: 'Examples',
      onSelect: () => this.tell(),
      onCursor: () => this.tell(),
      onActivate: () => this.openTracklet(),
    });
    this.setBackground(background());
  }

  /** Ask for what there is now. The cursor stays where it was, and what is still there stays chosen. */
  async load() {
    const turn = ++this.asked;
    const { label } = this;
    try {
      const [answer, set] = await Promise.all([api.ask('gallery', { label }), api.ask('trainset')]);
      if (turn !== this.asked) return;
      this.labels = set.labels.filter((row) => row.examples > 0 || row.label === label);
      this.draw(answer);
    } catch (error) {
      if (turn === this.asked) this.say(error.message, 'error');
    }
  }

  draw(answer) {
    const isSame = this.shown === answer.label;
    const { scrollTop } = this.area;
    const { cursor } = this.montage;
    const chosen = new Set([...this.montage.selection].map((i) => this.items[i]?.name));
    const before = isSame && this.size === answer.cell ? this.placesBefore() : new Map();
    this.shown = answer.label;
    this.size = answer.cell;
    this.items = answer.items;
    fill(
      this.menu,
      this.labels.map(({ label, examples }) =>
        h('option', { value: label, selected: label === answer.label }, `${label}  (${count(examples)})`),
      ),
    );
    const tracklets = new Set(answer.items.map((item) => `${item.experiment}/${item.tracklet}`)).size;
    this.total.textContent = `${plural(answer.total, 'example')} of ${plural(tracklets, 'tracklet')}`;
    this.empty.hidden = answer.total > 0;
    this.empty.textContent = `No examples under ${answer.label}.`;
    const { label, version, cell, total } = answer;
    const path = api.session('gallery/sheet');
    this.url = (start) => api.imageUrl(path, { label, version, cell, start, stop: Math.min(total, start + PER_SHEET) });
    this.montage.show({
      count: total,
      size: cell,
      scale: SCALES[this.scale],
      marks: this.marks(),
      url: this.url,
      before: (i) => before.get(answer.items[i].name) ?? null,
    });
    if (isSame) {
      this.montage.setCursor(cursor);
      this.area.scrollTop = scrollTop;
      this.montage.setSelection(this.items.flatMap((item, i) => (chosen.has(item.name) ? [i] : [])));
    }
    this.tell();
  }

  /** Where the images that are shown now lie, so that they stay painted until the sheets of the next version are here. */
  placesBefore() {
    const { url } = this;
    return new Map(this.items.map(({ name }, i) => [name, { url: url(i - (i % PER_SHEET)), n: i % PER_SHEET }]));
  }

  /** A line under each image that changes its colour from one tracklet to the next. */
  marks() {
    const colors = ['--border-strong', '--muted'];
    let tracklets = 0;
    return new Map(
      this.items.map((item, i) => {
        const previous = this.items[i - 1];
        if (previous && !isSameTracklet(previous, item)) tracklets += 1;
        return [i, { color: colors[tracklets % 2], title: `${item.tracklet}, frame ${item.frame}` }];
      }),
    );
  }

  /** The image under the cursor. */
  get item() {
    return this.items[this.montage.cursor];
  }

  /** What a command is about: the chosen images, or else the one under the cursor. */
  chosen() {
    const indices = this.montage.selection.size ? [...this.montage.selection] : [this.montage.cursor];
    return indices.map((i) => this.items[i]).filter(Boolean);
  }

  tell() {
    const { item } = this;
    const { size } = this.montage.selection;
    fill(
      this.facts,
      item && h('strong', {}, item.tracklet),
      item && h('span', {}, `frame ${item.frame}`),
      item && h('span', {}, item.own ? 'this experiment' : item.experiment),
      item && this.author,
    );
    this.tellAuthor(item);
    this.openButton.hidden = !item?.own;
    this.trackletButton.hidden = !item;
    const what = size ? plural(size, 'image') : 'this image';
    setText(this.moveButton, `Move ${what} to…`);
    setText(this.trashButton, `Delete ${what}`);
    this.moveButton.disabled = this.trashButton.disabled = !item;
    const hadFocus = document.activeElement === this.undoButton;
    this.undoButton.disabled = this.changes === 0;
    if (hadFocus && this.undoButton.disabled) this.area.focus();
  }

  /** Who added the image under the cursor, as its file tells; asked for when the cursor stays there. */
  tellAuthor(item) {
    clearTimeout(this.asking);
    if (this.authorOf === item) return;
    this.authorOf = item;
    fill(this.author);
    if (!item) return;
    this.asking = setTimeout(async () => {
      const answer = await api.ask('gallery/author', { label: this.label, name: item.name }).catch(() => null);
      if (this.authorOf === item && answer?.author)
        fill(this.author, `added by ${answer.author}, ${answer.time.slice(0, 10)}`);
    }, AUTHOR_PATIENCE);
  }

  /** After a click with the mouse, Enter, Space and the arrows are about the images again, not about the button. */
  giveKeysBack(event) {
    if (event.detail > 0 && event.target.closest('button') && this.where.hidden) this.area.focus();
  }

  say(message, kind = 'ok') {
    sayIn(this.status, message, kind);
  }

  key(name, event) {
    const entry = KEYS.find((one) => [one.key].flat().includes(name));
    if (!entry) return this.montage.handleKey(event);
    entry.run(this);
    return true;
  }

  show(label) {
    this.label = label;
    this.closeWhere();
    this.load();
  }

  goToLabel(step) {
    const i = this.labels.findIndex((row) => row.label === this.label);
    const next = this.labels[i + step];
    if (next) this.show(next.label);
  }

  selectTracklet() {
    if (!this.item) return;
    const same = this.items.flatMap((item, i) => (isSameTracklet(item, this.item) ? [i] : []));
    this.montage.setSelection([...this.montage.selection, ...same]);
  }

  openTracklet() {
    const { item } = this;
    if (!item?.own) return;
    this.dialog.close();
    app.goTo(item.tracklet);
  }

  switchBackground() {
    this.setBackground(this.background === 'white' ? 'black' : 'white');
  }

  setBackground(shade) {
    this.background = shade;
    this.montage.setBackground(shade);
    for (const button of this.shades) button.setAttribute('aria-pressed', String(button.value === shade));
  }

  zoom(step) {
    this.scale = Math.max(0, Math.min(SCALES.length - 1, this.scale + step));
    this.montage.show({ scale: SCALES[this.scale] });
  }

  askWhere() {
    if (!this.item) return;
    askLabelIn(this.where, {
      labels: app.labels().filter(({ label }) => label !== this.label),
      name: 'Label to move the images to',
      close: () => this.closeWhere(),
      onChoose: (label) => this.change(label),
    });
  }

  closeWhere() {
    this.where.hidden = true;
    this.area.focus();
  }

  trash() {
    if (this.item) this.change(null);
  }

  /** Move what is chosen to another label, or to the trash folder where `to` is null. */
  async change(to) {
    // After a change other images are under the cursor: a key pressed twice must not move those too.
    if (this.isChanging || !wasSeen(this.montage.paintedSince)) {
      this.say('These images have only just appeared, so nothing was done. Look, then press again.', 'warn');
      return;
    }
    const names = this.chosen().map((item) => item.name);
    this.isChanging = true;
    // Until what is left has been drawn, images are on the screen that are gone.
    if (await this.tellServer('move', { label: this.label, names, to, client: clientId }, 1)) await this.load();
    this.isChanging = false;
  }

  undo() {
    if (this.changes > 0) this.tellServer('undo', { client: clientId }, -1);
  }

  /** @returns {Promise<boolean>}  whether it was done */
  async tellServer(path, body, changes) {
    let isDone = false;
    const undo = api.session('undo');
    try {
      const answer = await api.tell(path, body);
      this.changes += changes;
      noteChange(undo, changes);
      this.say(sentence(answer.message));
      isDone = true;
      // The new version makes every view of the training set ask anew, this one too.
      noteVersions(answer.versions);
    } catch (error) {
      this.say(error.message, 'error');
      if (error.status === undefined) toastError(error);
    }
    this.tell();
    return isDone;
  }
}

function isSameTracklet(a, b) {
  return a.tracklet === b.tracklet && a.experiment === b.experiment;
}
