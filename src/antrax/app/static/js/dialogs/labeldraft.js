/**
 * The list of labels while it is edited, before it is saved.
 * @module
 */
import { CATEGORIES, labelProblem, UNKNOWN } from './labelrules.js';

const PLACE = new Map(CATEGORIES.map(({ id }, i) => [id, i]));

/**
 * @typedef {{label: string, category: string, examples: number}} Row
 */

/** Labels in the order of their list, always grouped by category. */
export class LabelDraft {
  /** @param {Row[]} rows as the server has them */
  constructor(rows) {
    this.rows = rows.map((row) => ({ ...row }));
    this.#group();
    this.saved = new Set(rows.map((row) => row.label));
    this.before = this.#spell();
  }

  /** Whether there is something to save. */
  get isChanged() {
    return this.#spell() !== this.before;
  }

  /** As the server takes it. */
  get body() {
    return this.rows.map(({ label, category }) => ({ label, category }));
  }

  /**
   * The labels of a category, in order.
   * @param {string} category
   * @returns {Row[]}
   */
  of(category) {
    return this.rows.filter((row) => row.category === category);
  }

  /**
   * @param {string} label
   * @returns {Row|undefined}
   */
  find(label) {
    return this.rows.find((row) => row.label === label);
  }

  /**
   * Put a label at the end of its category. The caller has checked it.
   * @param {string} label
   * @param {string} category
   */
  add(label, category) {
    this.rows.push({ label, category, examples: 0 });
    this.#group();
  }

  /**
   * Put labels at the end of their categories, but for those that are there already or cannot be labels.
   * @param {{label: string, category: string}[]} labels
   * @returns {{added: string[], refused: string[]}} refused: a sentence on each that cannot be a label
   */
  addAll(labels) {
    const added = [];
    const refused = [];
    for (const { label, category } of labels) {
      if (this.find(label)) continue;
      const names = this.rows.map((row) => row.label);
      const why = labelProblem(label, category, names);
      if (why) refused.push(`${label}: ${why}`);
      else {
        this.add(label, category);
        added.push(label);
      }
    }
    return { added, refused };
  }

  /**
   * Whether a label may go: its examples would be left without a label.
   * @param {Row} row
   * @returns {boolean}
   */
  canRemove(row) {
    return row.examples === 0 && row.label !== UNKNOWN;
  }

  /**
   * Whether a label may get another name now. It gets it in all files at once, so nothing else may be waiting to be saved.
   * @param {Row} row
   * @returns {boolean}
   */
  canRename(row) {
    return row.label !== UNKNOWN && this.saved.has(row.label) && !this.isChanged;
  }

  /** @param {Row} row */
  remove(row) {
    this.rows = this.rows.filter((each) => each !== row);
  }

  /**
   * Move a label within its category.
   * @param {Row} row
   * @param {number} step −1 is up
   * @returns {boolean} whether it moved
   */
  step(row, step) {
    const group = this.of(row.category);
    const other = group[group.indexOf(row) + step];
    if (!other) return false;
    const [i, j] = [this.rows.indexOf(row), this.rows.indexOf(other)];
    [this.rows[i], this.rows[j]] = [other, row];
    return true;
  }

  /**
   * Put a label before another one, or at the end of a category.
   * @param {Row} row
   * @param {string} category
   * @param {Row|null} before
   */
  place(row, category, before) {
    if (row === before) return;
    this.remove(row);
    row.category = category;
    this.rows.splice(before ? this.rows.indexOf(before) : this.rows.length, 0, row);
    this.#group();
  }

  /**
   * Put the labels of a category into the order of the alphabet.
   * @param {string} category
   */
  sort(category) {
    const sorted = this.of(category).sort((a, b) => a.label.localeCompare(b.label, 'en', { numeric: true }));
    this.rows = [...this.rows.filter((row) => row.category !== category), ...sorted];
    this.#group();
  }

  /**
   * What is wrong with a label of the list; empty where it is fine.
   * @param {Row} row
   * @returns {string}
   */
  problem(row) {
    const others = this.rows.filter((each) => each !== row).map((each) => each.label);
    return labelProblem(row.label, row.category, others);
  }

  /** How many labels cannot stay as they are. */
  get problems() {
    return this.rows.filter((row) => this.problem(row)).length;
  }

  #group() {
    const placeOf = (/** @type {{category: string}} */ { category }) => PLACE.get(category) ?? PLACE.size;
    // Sorting is stable: within a category the order stays.
    this.rows.sort((a, b) => placeOf(a) - placeOf(b));
  }

  #spell() {
    return JSON.stringify(this.body);
  }
}
