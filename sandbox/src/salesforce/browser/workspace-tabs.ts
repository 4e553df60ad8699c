/** Owns the workspace tabs of a console app: one per opened record, the one in front marked. Must never decide what is shown. */
import { h } from '../../page/dom.ts';
import type { OrgRecord } from './org-state.ts';

export interface WorkspaceTabs {
  readonly element: HTMLElement;
  /** Puts a record's tab in front, opened if need be; undefined puts the list in front. */
  show(record: OrgRecord | undefined): void;
}

export function createWorkspaceTabs(open: (id: string) => void): WorkspaceTabs {
  const opened: OrgRecord[] = [];
  const element = h('nav', { class: 'workspace-tabs', 'aria-label': 'Open records' });
  return {
    element,
    show(record) {
      if (record && !opened.some((one) => one.id === record.id)) opened.push(record);
      element.replaceChildren(
        ...opened.map((one) =>
          h(
            'button',
            {
              type: 'button',
              class: 'tab',
              'data-workspace-tab': one.id,
              'aria-current': one.id === record?.id ? 'page' : undefined,
              onclick: () => open(one.id),
            },
            one.name,
          ),
        ),
      );
    },
  };
}
