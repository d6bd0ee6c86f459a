/** Which images of a tracklet are in the training set already: a coloured line under each, with words for the pointer. */

import { app } from '../core/app.js';

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
  for (const [i, labels] of labelsOfImages(info)) {
    const color = `--${app.categoryOf(labels[0]) ?? 'none'}`;
    marks.set(i, { color, title: `Image ${i + 1}: in the training set as ${labels.join(', ')}` });
  }
  return marks;
}
