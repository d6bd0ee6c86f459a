/** Marks of the images of a tracklet that are in the training set: a coloured line under each, with a tooltip. */

import { app } from '../core/app.js';

// Of further labels of a category, in order.
const OTHERS = ['--strip-runner-up', '--multi', '--ok', '--error'];

/**
 * The labels under which each image is in the training set.
 * @param {import('messages').Tracklet} info
 * @returns {Map<number, string[]>} only images that are in it
 */
export function labelsOfImages(info) {
  const labels = new Map();
  for (const [label, indices] of Object.entries(info.frame_labels)) {
    for (const i of indices) labels.set(i, [...(labels.get(i) ?? []), label]);
  }
  return labels;
}

/**
 * Marks for a montage of all images of a tracklet.
 * @param {import('messages').Tracklet} info
 * @returns {Map<number, {color: string, title: string}>}
 */
export function marksOf(info) {
  const marks = new Map();
  // Where images of one tracklet have several labels of one category, those must be told apart.
  const taken = new Map();
  const colourOf = (/** @type {string} */ label) => {
    const category = app.categoryOf(label) ?? 'none';
    const others = taken.get(category) ?? [];
    if (!others.includes(label)) taken.set(category, [...others, label]);
    const place = taken.get(category).indexOf(label);
    return place ? OTHERS[(place - 1) % OTHERS.length] : `--${category}`;
  };
  for (const [i, labels] of labelsOfImages(info)) {
    const color = colourOf(labels[0]);
    marks.set(i, { color, title: `Image ${i + 1}: in the training set as ${labels.join(', ')}` });
  }
  return marks;
}
