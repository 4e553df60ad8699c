/**
 * Owns the plain page: a company's own order desk with the phone in a frame, and the page's end of the wire that `../index.ts`
 * describes. Must never trust a message whose origin or frame is not the panel's.
 */
import type { DemoAgent, DemoPerson } from '../../people.ts';
import { avatar, banner, callMeCard, h, icon, postJson } from '../dom.ts';
import { strangerSays } from '../stranger.ts';

const setup = JSON.parse(document.getElementById('setup')?.textContent ?? '{}') as {
  panelUrl: string;
  people: readonly DemoPerson[];
  unknownCaller: string;
  agent: DemoAgent;
};
const panelOrigin = new URL(setup.panelUrl).origin;
const helloEveryMs = 200;

let shownKey = setup.people[0]?.key;
let greeting: ReturnType<typeof setInterval> | undefined;

const rows = h('tbody', {});
const detail = h('section', { class: 'card detail', 'aria-label': 'Customer' });
const callers = h('div', {});
const state = h('output', { class: 'state idle', 'aria-label': 'Phone state' }, 'Phone: connecting');
const saved = h('p', { class: 'saved', role: 'status' });
const frame = h('iframe', { title: 'Phone', allow: 'microphone; autoplay; speaker-selection', src: setup.panelUrl });

function post(message: Readonly<Record<string, unknown>>): void {
  frame.contentWindow?.postMessage({ patchcord: 1, ...message }, panelOrigin);
}

function greet(): void {
  clearInterval(greeting);
  const hello = (): void => post({ type: 'hello', hostOrigin: location.origin, locale: navigator.language });
  greeting = setInterval(hello, helloEveryMs);
  hello();
}

const recordOf = (person: DemoPerson) => ({ id: person.key, object: person.kind, name: nameOf(person) });
const nameOf = (person: DemoPerson): string => `${person.firstName} ${person.lastName}`;

window.addEventListener('message', (event: MessageEvent<unknown>) => {
  if (event.origin !== panelOrigin || event.source !== frame.contentWindow) return;
  const message = event.data as Record<string, unknown> | null;
  if (typeof message !== 'object' || message?.patchcord !== 1) return;
  if (message.type === 'ready') {
    // Several hellos may have been on their way: only the first answer counts.
    if (greeting === undefined) return;
    clearInterval(greeting);
    greeting = undefined;
    state.textContent = 'Phone: connected';
    tellShown();
  } else if (message.type === 'open-record') open(`${(message.record as { id?: unknown } | undefined)?.id}`);
  else if (message.type === 'state') {
    state.className = `state ${['ringing', 'in-call', 'wrap-up'].includes(`${message.state}`) ? `${message.state}` : 'idle'}`;
    state.textContent = `${message.label}`;
  } else if (message.type === 'height' && typeof message.height === 'number') {
    frame.style.height = `${Math.min(900, Math.max(480, message.height))}px`;
  } else if (message.type === 'log-saved') saved.textContent = 'The last call is logged.';
});

function tellShown(): void {
  const person = setup.people.find((one) => one.key === shownKey);
  post({ type: 'record-shown', record: person ? recordOf(person) : null });
}

function open(key: string): void {
  if (!setup.people.some((one) => one.key === key)) return;
  shownKey = key;
  draw();
  tellShown();
}

function dialLink(person: DemoPerson, number: DemoPerson['numbers'][number]): HTMLElement {
  const call = (event: Event): void => {
    event.stopPropagation();
    post({ type: 'dial', number: number.typed, country: person.country, record: recordOf(person) });
  };
  return h(
    'button',
    { type: 'button', class: 'dial', 'data-number': number.typed, onclick: call },
    icon('phone', 14),
    number.typed,
  );
}

function draw(): void {
  rows.replaceChildren(
    ...setup.people.map((person, index) =>
      h(
        'tr',
        { 'data-person': person.key, class: person.key === shownKey ? 'on' : '', onclick: () => open(person.key) },
        h(
          'td',
          {},
          h('button', { type: 'button', class: 'name', 'aria-pressed': `${person.key === shownKey}` }, nameOf(person)),
        ),
        h('td', {}, person.company),
        h('td', {}, `#${4100 + index * 17}`),
        h('td', {}, dialLink(person, person.numbers[0])),
      ),
    ),
  );
  const person = setup.people.find((one) => one.key === shownKey);
  if (!person) return;
  detail.setAttribute('data-shown', person.key);
  detail.replaceChildren(
    h(
      'div',
      { class: 'who' },
      avatar(nameOf(person), 'large'),
      h('div', {}, h('h2', {}, nameOf(person)), h('p', {}, `${person.title}, ${person.company}`)),
    ),
    h(
      'dl',
      {},
      ...person.numbers.map((number) =>
        h('div', {}, h('dt', {}, number.kind === 'work' ? 'Phone' : 'Mobile'), h('dd', {}, dialLink(person, number))),
      ),
      h('div', {}, h('dt', {}, 'E-mail'), h('dd', {}, person.email)),
      h('div', {}, h('dt', {}, 'City'), h('dd', {}, person.city)),
    ),
  );
  callers.replaceChildren(
    callMeCard({ name: nameOf(person), number: person.numbers[0].e164 }, setup.unknownCaller, async (order) => {
      const { ok, value } = await postJson('/sandbox/call-me', order);
      return ok
        ? undefined
        : ((value as { error?: string } | undefined)?.error ?? 'The sandbox switch did not answer.');
    }),
  );
}

document.body.append(
  banner('a real company'),
  h(
    'header',
    {},
    h('span', { class: 'leaf', 'aria-hidden': 'true' }),
    h('h1', {}, 'Orchard Street order desk'),
    h('span', { class: 'push' }),
    state,
    avatar(`${setup.agent.firstName} ${setup.agent.lastName}`),
  ),
  h(
    'main',
    {},
    h(
      'div',
      { class: 'desk' },
      h(
        'table',
        { class: 'card' },
        h(
          'thead',
          {},
          h('tr', {}, h('th', {}, 'Customer'), h('th', {}, 'Company'), h('th', {}, 'Last order'), h('th', {}, 'Phone')),
        ),
        rows,
      ),
      h('div', { class: 'below' }, detail, callers),
    ),
    h('aside', { 'aria-label': 'Phone' }, frame, saved),
  ),
);
draw();
frame.addEventListener('load', greet);

Object.assign(window, { sandbox: { open, strangerSays: (message: unknown) => strangerSays(message, frame) } });
