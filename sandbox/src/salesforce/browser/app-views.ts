/**
 * Owns what the app shows beside and instead of a record: its tabs, the Lightning components next to a record, the manager's board, the
 * check of the set-up, the reports. Components are made once a record and kept while the page draws around them. Must never change which record is shown.
 */
import { h } from '../../page/dom.ts';
import type { OrgRecord } from './org-state.ts';
import { following } from './record-view.ts';
import { reportsView } from './report-view.ts';

type View = 'people' | 'board' | 'reports' | 'setup';

interface Lightning {
  create(name: string, properties: Readonly<Record<string, unknown>>): HTMLElement;
}

export interface AppViews {
  /** The app's tabs. */
  readonly nav: HTMLElement;
  /** The components beside the record. */
  readonly components: HTMLElement;
  /** What stands in the record's place on another tab. */
  readonly elsewhere: HTMLElement;
  /** Puts the components of this record beside it; none for no record. Safe to call at every draw. */
  beside(record: OrgRecord | undefined): void;
  /** Back to the records. */
  people(): void;
}

/** Objects whose pages carry the call history, as its js-meta.xml says. */
const withHistory: ReadonlySet<string> = new Set(['Contact', 'Lead', 'Account', 'Opportunity', 'Case']);
const labels: Readonly<Record<View, string>> = {
  people: 'People',
  board: 'Board',
  reports: 'Reports',
  setup: 'Set-up',
};
/** Tabs that are a component. */
const pages: Partial<Record<View, string>> = { board: 'patchcordBoard', setup: 'patchcordSetup' };

export function createAppViews(options: { readonly username: string; readonly people: () => void }): AppViews {
  let view: View = 'people';
  let shownId: string | undefined;
  const loaded = loadLightning();
  const live = h('div', { class: 'live-call' });
  const history = h('div', { class: 'call-history' });
  const components = h('div', { class: 'components' }, live, history);
  const elsewhere = h('div', { class: 'elsewhere', hidden: true });
  const tabs = (Object.keys(labels) as View[]).map((name) =>
    h(
      'a',
      {
        href: '#',
        class: 'tab',
        'data-tab': name,
        onclick: following(() => {
          if (name !== 'people') void show(name);
          else if (view === 'people') options.people();
          else back();
        }),
      },
      labels[name],
    ),
  );
  const nav = h('nav', { 'aria-label': 'Workspace' }, ...tabs);

  function mark(): void {
    for (const tab of tabs) tab.toggleAttribute('aria-current', false);
    tabs.find((tab) => tab.dataset.tab === view)?.setAttribute('aria-current', 'page');
    elsewhere.hidden = view === 'people';
    document.body.classList.toggle('elsewhere-open', view !== 'people');
  }

  function back(): void {
    if (view === 'people') return;
    view = 'people';
    elsewhere.replaceChildren();
    mark();
  }

  async function show(name: Exclude<View, 'people'>): Promise<void> {
    view = name;
    mark();
    elsewhere.replaceChildren(h('p', { class: 'card empty' }, 'Loading…'));
    const component = pages[name];
    const page = component === undefined ? await reportsView(options.username) : (await loaded).create(component, {});
    // Another tab may have been chosen meanwhile.
    if (view === name) elsewhere.replaceChildren(page);
  }

  void loaded.then((lightning) => live.replaceChildren(lightning.create('patchcordLiveCall', {})));
  mark();

  return {
    nav,
    components,
    elsewhere,
    beside(record) {
      components.hidden = record === undefined || record.kind === 'Task';
      const id = record && withHistory.has(record.kind) ? record.id : undefined;
      if (id === shownId) return;
      shownId = id;
      history.replaceChildren();
      if (id === undefined) return;
      void loaded.then((lightning) => {
        if (shownId === id)
          history.replaceChildren(lightning.create('patchcordCallHistory', { recordId: id, callsShown: 5 }));
      });
    },
    people: back,
  };
}

/** The components' script, asked for once and after everything else: the page and the phone do not wait for it. */
function loadLightning(): Promise<Lightning> {
  return new Promise((resolve) => {
    window.addEventListener(
      'lightning-ready',
      () => resolve((window as unknown as { lightning: Lightning }).lightning),
      { once: true },
    );
    document.head.append(h('script', { src: '/lightning.js', async: true }));
  });
}
