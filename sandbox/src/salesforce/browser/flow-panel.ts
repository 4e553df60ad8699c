/** Owns how a screen flow looks that `screenPop` started: its name and the variables it was given. Must never start one by itself. */
import { h } from '../../page/dom.ts';

export interface FlowVariable {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

/** The flow's panel; it takes itself off the page. */
export function flowPanel(name: string, variables: readonly FlowVariable[]): HTMLElement {
  const close = (): void => panel.remove();
  const panel = h(
    'section',
    { class: 'card flow', 'aria-label': `Flow ${name}`, 'data-flow': name },
    h('h2', {}, name, h('span', { class: 'tag' }, 'flow')),
    h(
      'dl',
      {},
      ...variables.map((one) =>
        h(
          'div',
          { class: 'field', 'data-variable': one.name },
          h('dt', {}, `${one.name} (${one.type})`),
          h('dd', {}, one.value),
        ),
      ),
    ),
    h('button', { type: 'button', class: 'plain', onclick: close }, 'Close'),
  );
  return panel;
}
