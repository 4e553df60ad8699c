/**
 * Owns the few building blocks all sandbox pages share: elements, icons, avatars, and how a call reads in a timeline.
 * Must never know a CRM or a wire.
 */

type Child = Node | string | null | undefined | false;
type Attributes = Readonly<Record<string, string | boolean | number | undefined | ((event: Event) => void)>>;

/** Makes an element. A function attribute is a listener (`onclick`), `true` an empty attribute, `false` and `undefined` none. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, `${value}`);
  }
  element.append(
    ...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false),
  );
  return element;
}

const paths = {
  phone:
    'M6.2 3.5 8.4 3l2.2 4.6-2 1.7a12 12 0 0 0 6.1 6.1l1.7-2 4.6 2.2-.5 2.2c-.3 1.4-1.5 2.4-2.9 2.4C9.900 20.200 3.800 14.100 3.800 6.400c0-1.400 1-2.600 2.400-2.900Z',
  out: 'M7 17 17 7M9 7h8v8',
  in: 'M17 7 7 17M15 17H7V9',
  missed: 'm4 8 8 8 8-8M4 13V8h5',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.500 20.500c.8-4 3.800-6 7.500-6s6.700 2 7.500 6',
  building: 'M5 20V5.500L13 3v17M13 9h6v11M3 20h18M8 8.500h2M8 12h2M8 15.500h2',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  home: 'm4 11 8-7 8 7M6 9.500V20h12V9.500',
  chart: 'M4 20h16M7 16v-4M12 16V7M17 16v-6',
  ring: 'M12 4a5 5 0 0 0-5 5v4l-1.500 3h13L17 13V9a5 5 0 0 0-5-5ZM10 19.500a2 2 0 0 0 4 0',
  question: 'M9 9.500a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 18h.01',
  hidden:
    'M3 3l18 18M10 6.200A9 9 0 0 1 21 12a13 13 0 0 1-2.500 3.300M6.500 7.700A13 13 0 0 0 3 12a9.500 9.500 0 0 0 11.500 5.400',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  settings:
    'M4 7h9M19 7h1M4 17h1M11 17h9M16 4.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5ZM8 14.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5Z',
  minus: 'M6 12h12',
  link: 'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1 1M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1-1',
} as const;

export type IconName = keyof typeof paths;

export function icon(name: IconName, size = 18): SVGSVGElement {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  for (const [key, value] of Object.entries({
    viewBox: '0 0 24 24',
    width: `${size}`,
    height: `${size}`,
    fill: 'none',
    stroke: 'currentColor',
    'stroke-width': '1.8',
    'stroke-linecap': 'round',
    'stroke-linejoin': 'round',
    'aria-hidden': 'true',
  }))
    svg.setAttribute(key, value);
  const path = document.createElementNS(namespace, 'path');
  path.setAttribute('d', paths[name]);
  svg.append(path);
  return svg;
}

/** A round badge with initials, in a colour that stays the same for the same name. */
export function avatar(name: string, size: 'small' | 'large' = 'small'): HTMLElement {
  const initials = name
    .split(/\s+/)
    .map((part) => part.charAt(0))
    .slice(0, 2)
    .join('')
    .toUpperCase();
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
  return h('span', { class: `avatar ${size}`, style: `--hue:${hue}`, 'aria-hidden': 'true' }, initials);
}

/** A call as any timeline shows it. */
export interface TimelineCall {
  readonly direction: 'in' | 'out' | 'missed';
  readonly title: string;
  readonly facts: readonly string[];
  readonly note: string;
  readonly at: Date;
}

export function timeline(calls: readonly TimelineCall[], empty: string): HTMLElement {
  if (calls.length === 0) return h('p', { class: 'empty' }, icon('phone', 22), empty);
  const items = [...calls]
    .sort((a, b) => b.at.getTime() - a.at.getTime())
    .map((call) =>
      h(
        'li',
        { class: `call ${call.direction}` },
        h('span', { class: 'dot' }, icon(call.direction === 'missed' ? 'missed' : call.direction, 15)),
        h(
          'div',
          { class: 'what' },
          h(
            'div',
            { class: 'line' },
            h('strong', {}, call.title),
            h('time', { datetime: call.at.toISOString() }, shownTime(call.at)),
          ),
          h('p', { class: 'facts' }, ...call.facts.filter((fact) => fact !== '').map((fact) => h('span', {}, fact))),
          call.note === '' ? null : h('p', { class: 'note' }, call.note),
        ),
      ),
    );
  return h('ol', { class: 'timeline' }, ...items);
}

export function shownDuration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

function shownTime(at: Date): string {
  const today = new Date().toDateString() === at.toDateString();
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  return today ? `Today, ${time}` : `${at.toLocaleDateString([], { month: 'short', day: 'numeric' })}, ${time}`;
}

/** The strip on top of every sandbox page: what this is not. */
export function banner(notThis: string, ...more: Child[]): HTMLElement {
  return h(
    'section',
    { class: 'sandbox-banner', 'aria-label': 'About this sandbox' },
    h('span', { class: 'stripes', 'aria-hidden': 'true' }),
    h('strong', {}, `Sandbox: not ${notThis}.`),
    h('span', {}, 'Everybody here is fictional, and so are their numbers.'),
    h('span', { class: 'push' }),
    ...more,
  );
}

export interface CallMeOrder {
  readonly from: string;
  readonly name?: string;
  readonly kind: 'contact' | 'unknown' | 'withheld';
}

/** The buttons that make the sandbox's people call the agent. `ask` resolves to what went wrong, or nothing. */
export function callMeCard(
  person: { name: string; number: string } | undefined,
  unknown: string,
  ask: (order: CallMeOrder) => Promise<string | undefined>,
): HTMLElement {
  const said = h('p', { class: 'said', role: 'status' });
  const button = (order: CallMeOrder, symbol: IconName, label: string, detail: string): HTMLElement =>
    h(
      'button',
      {
        type: 'button',
        class: 'call-me',
        'data-call-me': order.kind,
        onclick: () => {
          said.textContent = `${label}: calling…`;
          void ask(order).then((problem) => {
            said.textContent = problem ?? 'Your phone should ring now.';
          });
        },
      },
      icon(symbol),
      h('span', {}, label, h('small', {}, detail)),
    );
  return h(
    'section',
    { class: 'card callers', 'aria-label': 'Sandbox callers' },
    h('h2', {}, 'Call me', h('span', { class: 'tag' }, 'sandbox')),
    person
      ? button(
          { from: person.number, name: person.name, kind: 'contact' },
          'ring',
          `${person.name} calls me`,
          person.number,
        )
      : null,
    button({ from: unknown, kind: 'unknown' }, 'question', 'An unknown caller', unknown),
    button({ from: 'anonymous', kind: 'withheld' }, 'hidden', 'A withheld number', 'no caller ID'),
    said,
  );
}

export async function postJson(path: string, body: unknown): Promise<{ ok: boolean; value: unknown }> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const value: unknown = await response.json().catch(() => undefined);
  return { ok: response.ok, value };
}

/** Asks for the page's state again and again; `show` gets it only when it changed. */
export function followState<State>(
  path: string,
  show: (state: State) => void,
  everyMs = 400,
): { refresh(): Promise<void> } {
  let version = -1;
  const refresh = async (): Promise<void> => {
    const response = await fetch(`${path}?since=${version}`).catch(() => undefined);
    if (response?.status !== 200) return;
    const state = (await response.json()) as State & { version: number };
    version = state.version;
    show(state);
  };
  const loop = (): void => {
    void refresh().finally(() => setTimeout(loop, everyMs));
  };
  loop();
  return {
    refresh: async () => {
      version = -1;
      await refresh();
    },
  };
}
