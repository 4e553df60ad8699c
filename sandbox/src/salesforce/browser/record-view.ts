/**
 * Owns how a record and its calls look on the Salesforce page. Must never change the page: it gives elements, `main.ts` places them.
 */
import { avatar, h, icon, shownDuration, type TimelineCall, timeline } from '../../page/dom.ts';
import { type Fields, type OrgRecord, type OrgState, recordAt, text } from './org-state.ts';

/** What a click on a record's parts does. */
export interface RecordActions {
  /** Whether click-to-dial is on; numbers look disabled otherwise. */
  readonly dialing: boolean;
  dial(number: string, record: OrgRecord): void;
  open(id: string): void;
}

/** A link that stays on the page. */
export function following(go: () => void): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    go();
  };
}

export function companyOf(state: OrgState, record: OrgRecord): string {
  if (record.kind === 'Lead') return text(record.fields.Company);
  return text(state.accounts.find((account) => account.Id === record.fields.AccountId)?.Name);
}

function dialLink(
  { dialing, dial }: RecordActions,
  number: string,
  record: OrgRecord | undefined,
): HTMLElement | string {
  if (number === '' || !record) return '—';
  const why = dialing ? `Call ${number}` : 'Click to dial is disabled until the phone is ready';
  return h(
    'button',
    {
      type: 'button',
      class: 'dial',
      'data-number': number,
      title: why,
      disabled: !dialing,
      onclick: () => void dial(number, record),
    },
    icon('phone', 14),
    number,
  );
}

/** Everything the page shows of a record: its fields, what is related, its calls. */
export function recordView(state: OrgState, record: OrgRecord, actions: RecordActions): (Node | string)[] {
  const field = (label: string, content: Node | string): HTMLElement =>
    h('div', { class: 'field' }, h('dt', {}, label), h('dd', {}, content));
  const account = state.accounts.find((one) => one.Id === record.fields.AccountId);
  const accountLink = account
    ? h('a', { href: '#', class: 'link', onclick: following(() => actions.open(text(account.Id))) }, text(account.Name))
    : companyOf(state, record) || '—';
  const owner = state.users.find((user) => user.id === record.fields.OwnerId)?.name ?? '—';
  const calls = tasksOf(state, record).map((task) => asCall(state, task));
  const highlights =
    record.kind === 'Task'
      ? taskFields(record.fields, field)
      : [
          field('Phone', dialLink(actions, text(record.fields.Phone), record)),
          record.kind === 'Account'
            ? field('City', text(record.fields.BillingCity))
            : field('Mobile', dialLink(actions, text(record.fields.MobilePhone), record)),
          record.kind === 'Account'
            ? field('Country', text(record.fields.BillingCountry))
            : field(record.kind === 'Lead' ? 'Company' : 'Account', accountLink),
          record.kind === 'Account' ? null : field('Email', text(record.fields.Email)),
          field('Owner', owner),
        ].filter((one) => one !== null);
  const related = record.kind === 'Account' ? state.contacts.filter((contact) => contact.AccountId === record.id) : [];
  return [
    h(
      'header',
      { class: 'card highlights', 'data-shown': record.id },
      h(
        'div',
        { class: 'who' },
        avatar(record.name, 'large'),
        h(
          'div',
          {},
          h('p', { class: 'object' }, record.kind),
          h('h1', {}, record.name),
          h(
            'p',
            { class: 'sub' },
            [text(record.fields.Title), companyOf(state, record)].filter((part) => part !== '').join(' at '),
          ),
        ),
      ),
      h('dl', {}, ...highlights),
    ),
    related.length > 0
      ? h(
          'section',
          { class: 'card' },
          h('h2', {}, 'Contacts'),
          h(
            'ul',
            { class: 'related' },
            ...related.map((contact) =>
              h(
                'li',
                {},
                h(
                  'a',
                  {
                    href: '#',
                    class: 'link',
                    onclick: following(() => actions.open(text(contact.Id))),
                  },
                  text(contact.Name),
                ),
                dialLink(actions, text(contact.Phone), recordAt(state, text(contact.Id))),
              ),
            ),
          ),
        )
      : '',
    h(
      'section',
      { class: 'card', 'aria-label': 'Activity' },
      h('h2', {}, icon('list', 16), 'Activity', h('span', { class: 'count' }, `${calls.length}`)),
      timeline(calls, 'No calls yet. They appear here by themselves, once each.'),
    ),
  ];
}

function taskFields(fields: Fields, field: (label: string, content: string) => HTMLElement): HTMLElement[] {
  return [
    field('Status', text(fields.Status)),
    field('Call type', text(fields.CallType)),
    field('Result', text(fields.CallDisposition)),
    field('Seconds', text(fields.CallDurationInSeconds)),
    field('Comments', text(fields.Description)),
  ];
}

function tasksOf(state: OrgState, record: OrgRecord): readonly Fields[] {
  if (record.kind === 'Task') return [];
  return state.tasks.filter(
    (task) =>
      task.TaskSubtype === 'Call' &&
      (task.WhoId === record.id ||
        task.WhatId === record.id ||
        (record.kind === 'Account' && task.AccountId === record.id)),
  );
}

function asCall(state: OrgState, task: Fields): TimelineCall {
  const missed =
    /missed|no answer/i.test(`${text(task.CallDisposition)} ${text(task.Subject)}`) &&
    task.CallType !== 'Outbound' &&
    !Number(task.CallDurationInSeconds);
  return {
    direction: missed ? 'missed' : task.CallType === 'Inbound' ? 'in' : 'out',
    title: text(task.Subject) || 'Call',
    facts: [
      text(task.CallType),
      Number(task.CallDurationInSeconds) > 0 ? shownDuration(Number(task.CallDurationInSeconds)) : '',
      text(task.CallDisposition),
      state.users.find((user) => user.id === task.OwnerId)?.name ?? '',
    ],
    note: text(task.Description),
    at: new Date(text(task.CreatedDate).replace('+0000', 'Z')),
  };
}
