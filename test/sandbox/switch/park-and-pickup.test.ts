/** Parking, picking up, and taking a call over to another device: what moves between phones of one house. */
import { describe, expect, it } from 'vitest';
import { HOLD_TONE_HZ } from '../../../sandbox/src/switch/index.ts';
import { header, parseNameAddress } from '../../../sandbox/src/switch/sip-message.ts';
import {
  answer,
  call,
  DOMAIN,
  ERIKA,
  eventually,
  heard,
  JONAS,
  outcome,
  phoneOn,
  refer,
  startTestSwitch,
} from './switch-under-test.ts';
import type { ClientDialog, WireClient } from './wire-client.ts';

describe('parking', () => {
  it('parks by a transfer to 700, plays music, and gives the call back to whoever dials the slot', async () => {
    const sandbox = await startTestSwitch();
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    const talk = await call(phone, ERIKA);
    await refer(phone, talk, '700');
    expect(await outcome(phone)).toBe('SIP/2.0 200 OK');
    await phone.nextRequest('BYE');
    expect(sandbox.parked()).toEqual([{ slot: '701', number: ERIKA, by: '1001' }]);
    await heard(() => sandbox.heard(ERIKA).levelAt(HOLD_TONE_HZ));

    const taken = await call(other, '701', 1200);
    await heard(() => taken.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1200));
    expect(sandbox.heard(ERIKA, 100).levelAt(HOLD_TONE_HZ)).toBeLessThan(0.01);
    expect(sandbox.parked()).toEqual([]);
    expect(sandbox.calls().at(-1)).toMatchObject({ extension: '1002', number: ERIKA, name: 'Erika Sommer' });
    await expect(call(phone, '701')).rejects.toThrow('404');
  });

  it('parks in the slot that was asked for, and says so when it is taken', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await refer(phone, await call(phone, ERIKA), '703');
    expect(await outcome(phone)).toBe('SIP/2.0 200 OK');
    await phone.nextRequest('BYE');
    const second = await call(phone, JONAS);
    await refer(phone, second, '703');
    expect(await outcome(phone)).toBe('SIP/2.0 486 No free parking slot');
    await heard(() => second.sound.level(850));
    expect(sandbox.parked()).toEqual([{ slot: '703', number: ERIKA, by: '1001' }]);
  });

  it('rings whoever parked the call when its time is over', async () => {
    const sandbox = await startTestSwitch({ parkReturnMs: 300 });
    const phone = await phoneOn(sandbox);
    await refer(phone, await call(phone, ERIKA), '700');
    await phone.nextRequest('BYE');
    const back = await answer(phone, await phone.nextRequest('INVITE'), 1200);
    await heard(() => back.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1200));
    expect(sandbox.parked()).toEqual([]);
  });

  it('frees the slot of a caller who has had enough', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await refer(phone, await call(phone, ERIKA), '700');
    await phone.nextRequest('BYE');
    sandbox.hangUp(ERIKA);
    await eventually(() => expect(sandbox.parked()).toEqual([]));
  });

  it('shows a slot to who watches it', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const { response } = await phone.authenticated('SUBSCRIBE', `sip:702@${DOMAIN}`, [
      { name: 'Event', value: 'dialog' },
      { name: 'Contact', value: phone.gruu() },
    ]);
    expect(response.status).toBe(200);
    expect((await phone.nextRequest('NOTIFY')).body).not.toContain('<dialog ');
    await refer(phone, await call(phone, ERIKA), '702');
    const told = await phone.next((message) => message.kind === 'request' && message.body.includes('dialog-info'));
    expect(told.body).toContain('<state>confirmed</state>');
    expect(told.body).toContain(`<identity display="Erika Sommer">sip:${ERIKA}@${DOMAIN}</identity>`);
  });
});

describe('picking up', () => {
  it.each(['**1002', '*8'])(
    'takes what rings at a colleague by %s; the other phone learns that it was taken',
    async (code) => {
      const sandbox = await startTestSwitch();
      const [taker, ringing] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
      const placed = await sandbox.callAgent('1002', { callerNumber: ERIKA });
      const invite = await ringing.nextRequest('INVITE');
      ringing.respond(invite, 180, 'Ringing', [], '', 'desk');
      const taken = await call(taker, code);
      expect(header(await ringing.nextRequest('CANCEL'), 'Reason')).toContain('Call completed elsewhere');
      expect(await placed.answered).toBe(true);
      await heard(() => taken.sound.level(600));
      await heard(() => placed.heard().levelAt(1000));
      expect(sandbox.calls().at(-1)).toMatchObject({ extension: '1001', number: ERIKA, state: 'answered' });
    },
  );

  it.each(['**2002', '*8'])('takes what rings at a made-up colleague by %s', async (code) => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    sandbox.colleague('2002').ringFrom(ERIKA, 'Erika');
    const taken = await call(phone, code);
    expect(sandbox.colleague('2002').call).toBeUndefined();
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    expect(sandbox.calls().at(-1)).toMatchObject({ number: ERIKA, name: 'Erika' });
    expect(taken.dialog.callId).not.toBe('');
  });

  it('names the caller in the answer, so that the display is right', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    sandbox.colleague('2002').ringFrom(ERIKA, 'Erika');
    const { response } = await phone.authenticated(
      'INVITE',
      `sip:**2002@${DOMAIN}`,
      [{ name: 'Contact', value: phone.gruu() }],
      await new (await import('./wire-client.ts')).ClientSound().peer.offer(),
    );
    expect(response.status).toBe(200);
    expect(parseNameAddress(header(response, 'P-Asserted-Identity') ?? '')).toMatchObject({
      display: 'Erika',
      uri: `sip:${ERIKA}@${DOMAIN}`,
    });
  });

  it('has nothing to take where nothing rings', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await expect(call(phone, '**1002')).rejects.toThrow('481');
    await expect(call(phone, '*8')).rejects.toThrow('481');
  });
});

/** What a NOTIFY tells of the first dialog in this state, as the Replaces of whoever wants it. */
async function replacesFor(phone: WireClient, state: string): Promise<string> {
  const told = await phone.next(
    (message) => message.kind === 'request' && message.body.includes(`<state>${state}</state>`),
  );
  const [, callId, local, remote] = /call-id="([^"]+)" local-tag="([^"]+)" remote-tag="([^"]+)"/.exec(told.body) ?? [];
  return `${callId};to-tag=${local};from-tag=${remote}`;
}

async function watch(phone: WireClient, number: string): Promise<void> {
  await phone.authenticated('SUBSCRIBE', `sip:${number}@${DOMAIN}`, [
    { name: 'Event', value: 'dialog' },
    { name: 'Contact', value: phone.gruu() },
  ]);
}

describe('INVITE with Replaces', () => {
  it('takes an early dialog as a watching phone knows it, but not any more when it is answered', async () => {
    const sandbox = await startTestSwitch();
    const [taker, ringing] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    await watch(taker, '1002');
    const placed = await sandbox.callAgent('1002', { callerNumber: ERIKA });
    ringing.respond(await ringing.nextRequest('INVITE'), 180, 'Ringing', [], '', 'desk');
    const value = `${await replacesFor(taker, 'early')};early-only`;
    const taken = await taker.call('1002', [{ name: 'Replaces', value }]);
    await ringing.nextRequest('CANCEL');
    expect(await placed.answered).toBe(true);
    await heard(() => taken.sound.level(600));
    taken.sound.close();
    await expect(taker.call('1002', [{ name: 'Replaces', value }])).rejects.toThrow('603');
  });

  it('takes what rings at a made-up colleague, and leaves a talk alone', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await watch(phone, '2001');
    sandbox.colleague('2001').ringFrom(ERIKA);
    const value = await replacesFor(phone, 'early');
    const taken = await phone.call('2001', [{ name: 'Replaces', value: `${value};early-only` }]);
    taken.sound.close();
    expect(sandbox.calls().at(-1)).toMatchObject({ number: ERIKA, state: 'answered' });
    const { callId, localTag, remoteTag } = sandbox.colleague('2001').busyWith(JONAS);
    const busy = `${callId};to-tag=${localTag};from-tag=${remoteTag}`;
    await expect(phone.call('2001', [{ name: 'Replaces', value: `${busy};early-only` }])).rejects.toThrow('486');
    await expect(phone.call('2001', [{ name: 'Replaces', value: busy }])).rejects.toThrow('403');
  });

  it('moves a talk to another device of the same agent, who knows it from watching himself', async () => {
    const sandbox = await startTestSwitch();
    const [desk, laptop] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1001')];
    await watch(laptop, '1001');
    const talk = await call(desk, ERIKA);
    const value = await replacesFor(laptop, 'confirmed');
    const moved = await laptop.call('1001', [{ name: 'Replaces', value }]);
    const bye = await desk.nextRequest('BYE');
    expect(header(bye, 'Call-ID')).toBe((talk.dialog satisfies ClientDialog).callId);
    await heard(() => moved.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    moved.sound.close();
    expect(sandbox.calls().filter((entry) => entry.state === 'answered')).toHaveLength(1);
  });
});
