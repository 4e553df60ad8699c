import { FakeClock } from '@patchcord/phone-engine/testing';
import type { Notification } from 'sip.js/lib/api/notification.js';
import type { Session as Dialog } from 'sip.js/lib/core/session/session.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { tellableCallId } from '../../../packages/phone-engine/src/sip/caller-headers.ts';
import { Transfer } from '../../../packages/phone-engine/src/sip/transfer.ts';

let told: string[];
let transfer: Transfer;
let accept: () => void;

beforeEach(() => {
  told = [];
  transfer = new Transfer(new FakeClock(), {
    onRinging: () => told.push('ringing'),
    onDone: () => told.push('done'),
    onRefused: (reason) => told.push(reason),
    onDoneAfterAll: () => told.push('done after all'),
  });
  const dialog = { refer: (delegate: { onAccept(): void }) => (accept = () => delegate.onAccept()) };
  transfer.start(dialog as unknown as Dialog, '<sip:2002@example.test>', 'sip:1001@example.test', '<sip:1001@here>');
});

function report(status: string, state = 'active', body = `SIP/2.0 ${status}`): void {
  const headers: Record<string, string> = { event: 'refer', 'subscription-state': state };
  const notification = { accept: async () => {}, request: { getHeader: (name: string) => headers[name], body } };
  transfer.take(notification as unknown as Notification);
}

describe('a transfer whose far side hangs up', () => {
  it('is done when the far side had accepted it and reported nothing yet', () => {
    accept();
    report('100 Trying');
    transfer.farSideLeft();
    expect(told).toEqual(['done']);
  });

  it('is not done when the target was still ringing: the far side has given up', () => {
    accept();
    report('180 Ringing');
    transfer.farSideLeft();
    expect(told).toEqual(['ringing']);
    expect(transfer.settled).toBe(true);
  });

  it('is not done when the far side had not accepted it', () => {
    transfer.farSideLeft();
    expect(told).toEqual([]);
  });
});

describe('a transfer whose reports stop', () => {
  it.each(['terminated;reason=timeout', 'terminated ; reason=giveup'])('is refused: %s', (state) => {
    accept();
    report('180 Ringing', state);
    expect(told).toEqual(['ringing', expect.stringContaining('stopped reporting')].slice(1));
  });

  it('is refused when the last report says nothing', () => {
    accept();
    report('', 'terminated;reason=noresource', '');
    expect(told).toEqual([expect.stringContaining('stopped reporting')]);
  });

  it('goes on where every report is called the last', () => {
    accept();
    report('100 Trying', 'terminated');
    report('180 Ringing', 'terminated;reason=noresource');
    report('200 OK', 'terminated');
    expect(told).toEqual(['ringing', 'done']);
  });
});

describe('a transfer that is taken back', () => {
  it('is told once, and once more only when the target answers all the same', () => {
    accept();
    report('180 Ringing');
    transfer.takeBack();
    transfer.takeBack();
    expect(told).toEqual(['ringing', expect.stringContaining('cannot be told to stop')]);
    report('183 Session Progress');
    report('200 OK');
    expect(told.slice(2)).toEqual(['done after all']);
  });

  it('says nothing more when the target refuses', () => {
    transfer.takeBack();
    accept();
    report('486 Busy Here');
    expect(told).toEqual([expect.stringContaining('already been asked for')]);
    expect(transfer.settled).toBe(true);
  });
});

it('cuts a Call-ID that would not fit into an event', () => {
  expect(tellableCallId('x'.repeat(400))).toHaveLength(255);
  expect(tellableCallId('short@host')).toBe('short@host');
});
