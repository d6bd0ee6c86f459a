/**
 * Rules for names of labels, checked while typing. They are those of the server, which checks again.
 * @module
 */

export const CATEGORIES = [
  { id: 'ant', title: 'IDs', explain: 'One each for the animals to tell apart.' },
  { id: 'nonant', title: 'Not ants', explain: 'Larvae, dirt, walls: whatever the tracker took for an ant.' },
  { id: 'multi', title: 'Several ants', explain: 'Blobs of more than one animal.' },
  { id: 'unknown', title: 'Not identifiable', explain: 'An ant, but nobody could say which.' },
];

export const UNKNOWN = 'Unknown';
const MULTI_NAMES = ['Multi', 'MultiAnt', 'multi'];
const LONGEST = 64;
const MOST_BYTES = 200; // names of folders hold 255 bytes, and examples are named after labels
const FORBIDDEN = /[/\\:*?"<>|]/;
// MATLAB makes variables of the IDs in anTraX's later steps.
const MATLAB_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
// Names that Windows keeps for devices cannot be folders there.
const DEVICE_NAME = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
// All that cannot be seen, and every blank but the plain one.
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** A label as folders of it are told apart on systems that take capital and small letters for the same. */
const fold = (/** @type {string} */ label) => label.toUpperCase().toLowerCase();

/**
 * What is wrong with a label, as a sentence for the person who typed it.
 * @param {string} label
 * @param {string} category one of the ids of {@link CATEGORIES}
 * @param {Iterable<string>} others the labels beside it
 * @returns {string} empty where it is fine
 */
export function labelProblem(label, category, others = []) {
  if (!label) return 'Give the label a name.';
  if ([...label].length > LONGEST) return `At most ${LONGEST} characters.`;
  if (new TextEncoder().encode(label).length > MOST_BYTES)
    return `At most ${MOST_BYTES} bytes: fewer letters other than a–z.`;
  if (label !== label.trim() || label.endsWith('.')) return 'No space at either end, and no dot at the end.';
  if (label.startsWith('.') || label.startsWith('=')) return `A label cannot begin with “${label[0]}”.`;
  if (FORBIDDEN.test(label)) return 'Without / \\ : * ? " < > |, for each label becomes a folder.';
  if (UNSEEN.test(label)) return 'Without tabs and characters that cannot be seen.';
  if (DEVICE_NAME.test(label)) return `“${label}” is reserved by Windows and cannot become a folder there.`;
  for (const other of others) {
    if (other === label) return `“${label}” is in the list already.`;
    // Folders of labels that differ in case only are one folder on macOS and Windows.
    if (fold(other) === fold(label)) return `“${other}” is in the list: labels must differ in more than case.`;
  }
  if (category === 'ant' && !MATLAB_NAME.test(label))
    return 'An ID begins with a letter and holds only letters a–z, digits and _.';
  if (category === 'multi' && !MULTI_NAMES.includes(label))
    return `The label of several ants is spelt ${MULTI_NAMES.join(', ')}.`;
  if (category !== 'multi' && MULTI_NAMES.includes(label))
    return `“${label}” stands for several ants: move it to that category.`;
  if (category !== 'unknown' && label === UNKNOWN) return `“${UNKNOWN}” belongs into the category Not identifiable.`;
  return '';
}

// Categories as labels.csv calls them. Colours are no labels.
const FILE_CATEGORIES = new Map([
  ['ant_labels', 'ant'],
  ['noant_labels', 'nonant'],
  ['other_labels', 'unknown'],
  ['tagcolors', ''],
]);

/**
 * The labels of a text with several: one a line, or separated by commas, semicolons or tabs; or lines of labels.csv, whose categories count.
 * @param {string} text
 * @param {string} category of those that come without one
 * @returns {{label: string, category: string}[]} each once
 */
export function labelsOf(text, category) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const line of text.split(/[\r\n]+/)) {
    const cells = line.split(/[\t,;]/).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
    const own = FILE_CATEGORIES.get(cells[cells.length - 1].toLowerCase());
    const labels = own === undefined ? cells : cells.slice(0, -1);
    for (const label of own === '' ? [] : labels) {
      const kind = own === 'unknown' && MULTI_NAMES.includes(label) ? 'multi' : (own ?? category);
      if (label && !found.has(label)) found.set(label, kind);
    }
  }
  return [...found].map(([label, kind]) => ({ label, category: kind }));
}

/**
 * Two-colour codes of tags, first letter in front.
 * @param {string} letters one letter a colour, as “BGOR”
 * @returns {string[][]} rows of codes, a row for each first colour
 */
export function colorCodes(letters) {
  const colors = [...letters];
  return colors.map((first) => colors.map((second) => first + second));
}

/**
 * The letters of a text, in capitals, each once: what a person typed as the colours of the tags.
 * @param {string} text
 * @returns {string}
 */
export function colorLetters(text) {
  return [...new Set(text.toUpperCase().match(/[A-Z]/g) ?? [])].slice(0, 12).join('');
}

/** Labels for a session that has none yet. */
export const STARTING_LABELS = [
  { label: 'NoAnt', category: 'nonant' },
  { label: 'Multi', category: 'multi' },
  { label: UNKNOWN, category: 'unknown' },
];
