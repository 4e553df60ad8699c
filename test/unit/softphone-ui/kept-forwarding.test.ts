/** A forwarding outlives the page that set it. */
import { createPhone, defaultRules, type Forwarding, type OwnedPhone } from '@patchcord/phone-engine';
import { FakeClock, FakeSip } from '@patchcord/phone-engine/testing';
import { describe, expect, it } from 'vitest';
import {
  createForwardingMark,
  type ForwardingMark,
  keepForwarding,
} from '../../../packages/softphone-ui/src/kept-forwarding.ts';
import { account, credential } from '../phone-engine/phone-fixture.ts';

const away: Forwarding = { to: '2009', when: 'always', afterSeconds: 0 };

function page(mark: ForwardingMark, allowed = true, role: 'owner' | 'mirror' = 'owner') {
  const sip = new FakeSip();
  const phone: OwnedPhone = createPhone({ sip, clock: new FakeClock() });
  phone.setRules({ ...defaultRules, codes: { doNotDisturb: null, forwarding: { on: '*72{number}', off: '*73' } } });
  phone.setAccount(account, credential, []);
  const stop = keepForwarding({ ...phone, role: () => role }, mark, () => allowed);
  return { sip, phone, stop, online: () => phone.send({ type: 'line.connect' }) };
}

function memory(): ForwardingMark {
  const entries = new Map<string, string>();
  const storage = {
    getItem: (key: string) => entries.get(key) ?? null,
    setItem: (key: string, value: string) => void entries.set(key, value),
    removeItem: (key: string) => void entries.delete(key),
  };
  return createForwardingMark(() => storage as Storage, 'acme:ada');
}

describe('a forwarding', () => {
  it('goes on in the next page, and the phone system is told again', async () => {
    const mark = memory();
    const first = page(mark);
    await first.online();
    await first.phone.send({ type: 'agent.forward', forwarding: away });
    const next = page(mark);
    expect(next.phone.state().forwarding).toBeNull();
    await next.online();
    expect(next.phone.state().forwarding).toEqual(away);
    expect(next.sip.sent('send-code').map(({ code }) => code)).toEqual(['*722009']);
  });

  it('is forgotten once the agent switches it off', async () => {
    const mark = memory();
    const first = page(mark);
    await first.online();
    await first.phone.send({ type: 'agent.forward', forwarding: away });
    await first.phone.send({ type: 'agent.forward', forwarding: null });
    expect(mark.read()).toBeNull();
  });

  it('is left alone by a mirror, and where the profile does not allow it any more', async () => {
    const mark = memory();
    mark.write(away);
    for (const { phone, online } of [page(mark, true, 'mirror'), page(mark, false)]) {
      await online();
      expect(phone.state().forwarding).toBeNull();
    }
    expect(mark.read()).toEqual(away);
  });

  it('is read only in the shape it was written in, and never breaks the page', () => {
    const storage = { getItem: () => '{"to":1}', setItem: () => undefined, removeItem: () => undefined };
    expect(createForwardingMark(() => storage as unknown as Storage, 'a').read()).toBeNull();
    const refused = createForwardingMark(() => {
      throw new Error('storage is refused');
    }, 'a');
    expect(refused.read()).toBeNull();
    refused.write(away);
  });
});
