/** What the page knows of its own elements, and TypeScript cannot: it found them by a selector, or made them by `h`. */

type TagOf<T extends string> = T extends `${infer K}.${string}` ? K : T;
type Made<T extends string> =
  TagOf<T> extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[TagOf<T>] : HTMLElement;

interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): NodeListOf<any>;
}
interface Element {
  closest(selectors: string): any;
}
