/** Creation of elements. Text always becomes text nodes, so that names cannot inject markup. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes an element.
 * @template {string} T
 * @param {T} tag  may carry classes: 'div.menu.wide'
 * @param {Record<string, any>} [props]  `on…` functions become listeners, `data` and `style` objects are spread, `class` adds
 *   classes, names that the element has are set as properties, and everything else as attributes; null and undefined are left out, and
 *   false but where it is the value of such a property
 * @param {...(Node|string|number|null|undefined|false|any[])} children
 * @returns {Made<T>}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = /** @type {HTMLElement & Record<string, any>} */ (document.createElement(name));
  if (classes.length) element.classList.add(...classes);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || (value === false && typeof element[key] !== 'boolean')) continue;
    if (key.startsWith('on') && typeof value === 'function')
      element.addEventListener(key.slice(2).toLowerCase(), value);
    else if (key === 'class') element.classList.add(...String(value).split(/\s+/).filter(Boolean));
    else if (key === 'data') Object.assign(element.dataset, value);
    else if (key === 'style') Object.assign(element.style, value);
    else if (key in element && !key.startsWith('aria') && key !== 'list' && key !== 'form') element[key] = value;
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  append(element, children);
  return /** @type {any} */ (element);
}

/**
 * @param {Element} element
 * @param {any[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : String(child));
    }
  }
}

/**
 * Puts other children into an element.
 * @param {Element} element
 * @param {...any} children  as of `h`
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * A drawn sign of 16 × 16 units in the colour of the text around it.
 * @param {string} path  the `d` of its strokes
 * @returns {SVGElement}
 */
export function icon(path) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const stroke = document.createElementNS(SVG, 'path');
  stroke.setAttribute('d', path);
  svg.append(stroke);
  return svg;
}

/**
 * An element of the page that must be there.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

const counting = new Intl.NumberFormat('en');

/**
 * A number as people read it: 12,345.
 * @param {number} n
 * @returns {string}
 */
export const count = (n) => counting.format(n);

/**
 * A number of things: "1 image", "1,200 images".
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/**
 * A message as a sentence: what begins with a word gets a capital letter, what begins with a name stays as it is.
 * @param {string} text
 * @returns {string}
 */
export const sentence = (text) => (/^[a-z][a-z]*[ ,:]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text);

/**
 * A probability as people read it. Never "100 %" for what is not certain.
 * @param {number} p  0..1
 * @returns {string}
 */
export function percent(p) {
  if (p > 0.995 && p < 1) return '> 99 %';
  if (p < 0.005 && p > 0) return '< 1 %';
  return `${Math.round(p * 100)} %`;
}

/**
 * Has the browser keep a text as a file among its downloads.
 * @param {string} name
 * @param {string} text
 */
export function saveFile(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
