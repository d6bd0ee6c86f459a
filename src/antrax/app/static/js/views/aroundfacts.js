/** The surroundings of a tracklet in words: IDs at that time, and neighbours of two origins as one list. */

/**
 * In which order IDs are told, and how.
 * @type {{where: import('messages').IdAtTimeTold['where'], title: string, explain: string}[]}
 */
export const GROUPS = [
  { where: 'here', title: 'Here', explain: 'the label of this tracklet' },
  { where: 'twice', title: 'Twice', explain: 'in two tracklets at the same moment' },
  { where: 'free', title: 'Missing', explain: 'in no other tracklet at this time, so this may be one of them' },
  { where: 'elsewhere', title: 'Elsewhere', explain: 'in another tracklet at this time' },
];

/**
 * What a button for an ID says.
 * @param {import('messages').IdAtTimeTold} one
 * @returns {{title: string, label: string}}
 */
export function stateOf({ id, where, bearers }) {
  const others = bearers
    .map(({ tracklet, by_hand: byHand }) => `${tracklet}${byHand ? ' (in the training set)' : ''}`)
    .join(', ');
  if (!bearers.length) {
    const state = where === 'here' ? 'the label of this tracklet' : 'in no other tracklet at this time';
    return { title: `${id}: ${state}. A click chooses it.`, label: `${id}, ${state}; chooses it` };
  }
  const state = where === 'twice' ? 'in two tracklets at the same moment' : 'in another tracklet at this time';
  return {
    title: `${id}: ${others}. A click shows the first.`,
    label: `${id}, ${state}; shows ${bearers[0].tracklet}`,
  };
}

/**
 * Neighbours that the tracker linked come first, then those that only are near; each once.
 * @param {import('messages').NeighbourTold[]} near
 * @param {import('messages').NeighbourTold[]} linked
 * @returns {import('messages').NeighbourTold[]}
 */
export function joinNeighbours(near, linked) {
  const names = new Set(linked.map(({ tracklet }) => tracklet));
  return [...linked, ...near.filter(({ tracklet }) => !names.has(tracklet))];
}
