/** Owns what a component of ours is made of, and the few pieces of HTML that all of them share. */
import { h } from '../../page/dom.ts';

/** A component's properties as remote-ui brings them; untyped, because the extension's own type check has seen them. */
export type Props = Readonly<Record<string, unknown>>;

/** One component on the page. */
export interface Drawn {
  readonly element: HTMLElement;
  /** Where its children go; null for one that has none. */
  readonly children: HTMLElement | null;
  /** Brings new properties onto the page. Called once right after it was made. */
  update(props: Props): void;
}
export type Draw = () => Drawn;

export const words = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Calls a handler of the extension, when it has one. */
export function tell(handler: unknown, ...args: unknown[]): void {
  if (typeof handler === 'function') handler(...args);
}

/** A component that is one element with a class, and perhaps more of them by its properties. */
export function plain(tag: keyof HTMLElementTagNameMap, name: string, more: (props: Props) => string = () => ''): Draw {
  return () => {
    const element = h(tag, {});
    return {
      element,
      children: element,
      update: (props) => {
        element.className = `uie ${name} ${more(props)}`.trim();
      },
    };
  };
}
