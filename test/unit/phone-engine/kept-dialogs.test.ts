/** Dialogs that were written down are checked before anything of them stands in a message. */
import { type KeptDialog, readDialogs } from '@patchcord/phone-engine';
import { expect, it } from 'vitest';

const up = {
  call: 'c-1',
  stage: 'confirmed',
  direction: 'outbound',
  callId: 'a84b4c76e66710@pc33.example',
  localTag: '1928301774',
  remoteTag: 'a6c85cf',
  localUri: 'sip:1001@office.example',
  remoteUri: 'sip:+4930123@office.example',
  remoteTarget: 'sip:+4930123@10.0.0.2:5060;transport=ws',
  routes: ['<sip:edge.example;lr;ob>', '"Edge" <sip:10.0.0.1;lr>;x=1'],
  localSequence: 3,
  remoteSequence: null,
  inviting: null,
  number: '+4930123',
  supports: 'replaces, timer',
  allows: 'INVITE, ACK',
  peer: 'Asterisk PBX 22.10.1',
  held: false,
  farHeld: false,
  muted: false,
  sessionSeconds: 0,
} as unknown as KeptDialog;
const routes = ['<sip:edge.example;lr;ob>'];
const inviting = { uri: 'sip:2001@office.example', branch: 'z9hG4bK776asdhds', routes: [] };
const placed = { ...up, routes, stage: 'inviting', remoteTag: '', remoteTarget: '', inviting } as const;
const rings = { ...up, routes, stage: 'invited', direction: 'inbound', localTag: '', remoteTarget: '' } as const;

it('gives back what was kept, as it was', () => {
  const first = { ...up, routes };
  expect(readDialogs(JSON.parse(JSON.stringify([first])))).toEqual([first]);
  expect(
    readDialogs([
      { ...placed, call: 'c-2' },
      { ...rings, call: 'c-3' },
    ]),
  ).toHaveLength(2);
  expect(readDialogs([{ ...first, remoteUri: 'tel:+4930123', localUri: 'sips:1001@office.example' }])).toHaveLength(1);
});

it.each<[string, Record<string, unknown>]>([
  ['a line end in an identifier', { callId: 'a\r\nX-Evil: 1' }],
  ['a parameter in an identifier', { callId: 'a;to-tag=b' }],
  ['a blank in a tag', { remoteTag: 'a b' }],
  ['a parameter in a tag', { localTag: 'a;early-only' }],
  ['no tag where there must be one', { remoteTag: '' }],
  ['no target where there must be one', { remoteTarget: '' }],
  ['an address that breaks out of its brackets', { remoteTarget: 'sip:a@b>;x=<sip:c@d' }],
  ['an address that is none', { remoteUri: 'javascript:alert(1)' }],
  ['an address with a line end', { localUri: 'sip:a@b\r\nRoute: <sip:evil>' }],
  ['a route that is none', { routes: ['sip:edge.example'] }],
  ['a route with a line end', { routes: ['<sip:edge.example;lr>\r\nX: 1'] }],
  ['two routes in one', { routes: ['<sip:a;lr>, <sip:b;lr>'] }],
  ['too many routes', { routes: Array.from({ length: 17 }, () => '<sip:a;lr>') }],
  ['a number that overflows', { localSequence: 2 ** 31 - 1 }],
  ['a number that is none', { localSequence: Number.NaN }],
  ['a negative number', { remoteSequence: -1 }],
  ['a strange stage', { stage: 'early' }],
  ['a strange direction', { direction: 'sideways' }],
  ['a flag that is none', { held: 'yes' }],
  ['a name with a line end', { peer: 'x\nServer: y' }],
  ['a name that is too long', { peer: 'x'.repeat(257) }],
  ['a call id that is too long', { call: 'x'.repeat(129) }],
  ['a missing field', { muted: undefined }],
])('drops one with %s', (_, change) => {
  expect(readDialogs([{ ...up, routes, ...change }])).toEqual([]);
});

it.each<[string, Record<string, unknown>]>([
  ['nothing to cancel', { inviting: null }],
  ['a branch that is none', { inviting: { ...inviting, branch: '1' } }],
  ['a branch with a line end', { inviting: { ...inviting, branch: 'z9hG4bK1\r\nX: 1' } }],
  ['a route of its INVITE that is none', { inviting: { ...inviting, routes: ['sip:edge.example'] } }],
  ['no tag of its own', { localTag: '' }],
])('drops one that was being placed, with %s', (_, change) => {
  expect(readDialogs([{ ...placed, ...change }])).toEqual([]);
});

it('takes each call once, and nothing of what is no list, or too long a one', () => {
  expect(readDialogs([{ ...up, routes }, { ...placed }])).toHaveLength(1);
  expect(readDialogs(Array.from({ length: 17 }, (_, n) => ({ ...up, routes, call: `c-${n}` })))).toEqual([]);
  for (const nothing of [null, undefined, {}, 'x', 7, [null], ['x'], [[]]]) expect(readDialogs(nothing)).toEqual([]);
});

it('is not led astray by what a list inherits', () => {
  const inherits: unknown = Object.create({ ...up, routes });
  expect(readDialogs([inherits])).toEqual([]);
});
