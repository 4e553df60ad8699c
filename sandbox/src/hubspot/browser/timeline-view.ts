/**
 * Owns how calls look on a HubSpot timeline, as they are now: running, finished, with their sound and their words. Must never change a call.
 */
import { h, icon, shownDuration } from '../../page/dom.ts';
import { type Call, entryOf, nameOf, ownerName, type PortalState, type Reference } from './portal-state.ts';

const statusWords: Readonly<Record<string, string>> = {
  COMPLETED: '',
  NO_ANSWER: 'No answer',
  BUSY: 'Busy',
  CANCELED: 'Cancelled',
  FAILED: 'Failed',
  MISSED: 'Missed',
  IN_PROGRESS: 'In progress',
  CONNECTING: 'Connecting',
  CALLING_CRM_USER: 'Calling you',
  QUEUED: 'Queued',
  RINGING: 'Ringing',
  HOLD: 'On hold',
};
const running = new Set(['IN_PROGRESS', 'CONNECTING', 'CALLING_CRM_USER', 'QUEUED', 'RINGING', 'HOLD']);

/** The calls that stand on a record; those of its people count for a company. */
export function callsOn(portal: PortalState, shown: Reference): readonly Call[] {
  const people = shown.type === 'companies' ? (entryOf(portal, shown)?.contacts ?? []) : [];
  return portal.calls
    .filter((call) => call[shown.type]?.includes(shown.id) || call.contacts?.some((id) => people.includes(id)))
    .sort((a, b) => timeOf(b) - timeOf(a));
}

export function timelineView(portal: PortalState, calls: readonly Call[], shown: Reference): HTMLElement {
  if (calls.length === 0)
    return h('p', { class: 'empty' }, icon('phone', 22), 'No calls yet. They appear here by themselves, once each.');
  return h('ol', { class: 'timeline' }, ...calls.map((call) => callView(portal, call, shown)));
}

function callView(portal: PortalState, call: Call, shown: Reference): HTMLElement {
  const { properties } = call;
  const inbound = properties.hs_call_direction === 'INBOUND';
  const status = properties.hs_call_status ?? '';
  const missed = inbound && ['MISSED', 'NO_ANSWER', 'CANCELED'].includes(status);
  const direction = missed ? 'missed' : inbound ? 'in' : 'out';
  const seconds = Number(properties.hs_call_duration ?? 0) / 1000;
  const outcome = portal.dispositions.find((one) => one.value === properties.hs_call_disposition)?.label ?? '';
  const word = statusWords[status] ?? status;
  const facts = [
    inbound ? 'Inbound' : 'Outbound',
    seconds > 0 ? shownDuration(seconds) : '',
    outcome,
    word === outcome || running.has(status) ? '' : word,
    ownerName(portal, properties.hubspot_owner_id),
  ].filter((fact) => fact !== '' && fact !== '--');
  const note = plainText(properties.hs_call_body ?? '');
  const at = new Date(properties.hs_timestamp ?? Date.now());
  return h(
    'li',
    { class: `call ${direction}`, 'data-call': call.id },
    h('span', { class: 'dot' }, icon(direction, 15)),
    h(
      'div',
      { class: 'what' },
      h(
        'div',
        { class: 'line' },
        h('strong', {}, properties.hs_call_title || (inbound ? 'Inbound call' : 'Outbound call')),
        running.has(status) ? h('span', { class: 'now' }, word) : null,
        h('span', { class: 'push' }),
        h('time', { datetime: at.toISOString() }, shownTime(at)),
      ),
      h('p', { class: 'facts' }, ...facts.map((fact) => h('span', {}, fact))),
      note === '' ? null : h('p', { class: 'note' }, note),
      recordingView(call),
      transcriptView(call),
      onRecords(portal, call, shown),
    ),
  );
}

function recordingView({ id, recording }: Call): HTMLElement | null {
  if (!recording) return null;
  if (recording.state === 'asked') return h('p', { class: 'sound' }, 'Recording: being fetched…');
  const trouble = recording.problems.map((problem) => h('small', { class: 'trouble' }, problem));
  if (recording.state === 'failed')
    return h('p', { class: 'sound' }, 'The recording could not be fetched.', ...trouble);
  const player = h('audio', {
    controls: true,
    preload: 'none',
    src: `/sandbox/recordings/${id}`,
    'aria-label': 'Recording of the call',
  });
  return h('p', { class: 'sound' }, player, ...trouble);
}

function transcriptView({ transcript }: Call): HTMLElement | null {
  if (!transcript) return null;
  return h(
    'details',
    { class: 'words' },
    h('summary', {}, `Transcript (${transcript.length})`),
    ...transcript.map(({ speaker, text, startMs }) =>
      h('p', {}, h('time', {}, clock(startMs)), h('strong', {}, speaker), h('span', {}, text)),
    ),
  );
}

/** What else the call stands on, beside the record on screen. */
function onRecords(portal: PortalState, call: Call, shown: Reference): HTMLElement | null {
  const names = (['contacts', 'companies', 'deals', 'tickets'] as const).flatMap((type) =>
    (call[type] ?? [])
      .filter((id) => type !== shown.type || id !== shown.id)
      .flatMap((id) => {
        const entry = entryOf(portal, { type, id });
        return entry ? [nameOf(type, entry)] : [];
      }),
  );
  return names.length === 0 ? null : h('p', { class: 'also' }, icon('link', 13), `Also on ${names.join(', ')}`);
}

function timeOf({ properties }: Call): number {
  return Date.parse(properties.hs_timestamp ?? '') || 0;
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, '0')}`;
}

function shownTime(at: Date): string {
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (new Date().toDateString() === at.toDateString()) return `Today, ${time}`;
  return `${at.toLocaleDateString([], { month: 'short', day: 'numeric' })}, ${time}`;
}

/** A call's body may be HTML; the timeline shows its text. */
function plainText(html: string): string {
  const broken = html.replace(/<br\s*\/?>|<\/p>\s*<p>|<\/div>\s*<div>/gi, '\n');
  return new DOMParser().parseFromString(broken, 'text/html').body.textContent?.trim() ?? '';
}
