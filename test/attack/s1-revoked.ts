/**
 * S1: somebody whose access was taken away goes on trying everything they had: session, sockets, event stream, REGISTER, INVITE, the running call,
 * new TURN credentials. On every real PBX that credentials are issued to, one device or the whole agent at a time. Owns the attack and the
 * clock: from asking for the revocation until the last of it is dead. Counts the bystanders that noticed, too: another device of the agent,
 * another agent.
 */
import { randomUUID } from 'node:crypto';
import type { Credentials, Session } from '@patchcord/call-protocol';
import type { Drill } from '../drill.ts';
import { EventStream } from '../relay/event-stream.ts';
import { type IssuingPbx, issuingKinds, startIssuingPbx } from '../sip-lab/issuing-pbx.ts';
import { type Credential, WssClient } from '../sip-lab/wss-client.ts';
import { adminToken, type Panel, phoneKey } from '../unit/server/relay-in-test.ts';

/** Given up after this; a revocation that takes longer has failed. */
const patienceMs = 5_000;
const goalMs = 100;
const refused = [401, 403, 407];

export const drill: Drill = {
  about: 'everything a revoked device or agent still holds, on every PBX; how long until it is dead',
  async run({ short, say }) {
    const rounds = short ? 2 : 34;
    let tried = 0;
    let succeeded = 0;
    let bystandersHit = 0;
    let callsEnded = 0;
    const times: number[] = [];
    for (const kind of issuingKinds) {
      say(`${rounds} revocations on ${kind}`);
      const pbx = await startIssuingPbx(kind, 4);
      try {
        const [other, same] = [await enter(pbx, 'a1'), await enter(pbx, 'a0')];
        for (let round = 0; round < rounds; round += 1) {
          // By turns a device of an agent who has another one, and an agent with all devices.
          const whole = round % 2 === 1;
          const victim = await enter(pbx, whole ? 'a2' : 'a0');
          const call = pbx.answers === null ? null : await callInto(pbx, victim, pbx.answers);
          const begun = performance.now();
          const answer = await revoke(pbx, whole ? 'a2' : `a0/devices/${victim.device}`, whole);
          if (!answer.ok) throw new Error(`The relay answered the revocation with ${answer.status}.`);
          const outcomes = await Promise.all(deaths(pbx, victim, call).map((dead) => until(dead)));
          tried += outcomes.length;
          succeeded += outcomes.filter((dead) => !dead).length;
          if (call !== null && outcomes.every(Boolean)) callsEnded += 1;
          times.push(performance.now() - begun);
          for (const bystander of [other, same]) if (!(await untouched(pbx, bystander))) bystandersHit += 1;
          await leave(victim);
        }
        await Promise.all([leave(other), leave(same)]);
      } finally {
        await pbx.stop();
      }
    }
    times.sort((a, b) => a - b);
    const within = times.filter((ms) => ms <= goalMs).length;
    return {
      passed: tried > 0 && succeeded === 0 && bystandersHit === 0,
      tried,
      succeeded,
      failed: tried - succeeded,
      revocations: times.length,
      msMedian: Math.round(times[Math.floor(times.length / 2)] ?? Number.NaN),
      msMax: Math.round(times.at(-1) ?? Number.NaN),
      within100ms: within,
      callsEnded,
      bystandersHit,
      note: 'calls are ended where the policy says so: on Asterisk; on the edges they are kept',
    };
  },
};

interface Visitor {
  readonly agent: string;
  readonly extension: string;
  readonly device: string;
  readonly session: Session;
  readonly credential: Credential;
  readonly user: string;
  readonly panel: Panel;
  readonly stream: EventStream;
  readonly phone: WssClient;
  closed: boolean;
  streamEnded: boolean;
}

/** An agent signs in on a new device and uses everything there is. */
async function enter(pbx: IssuingPbx, agent: string): Promise<Visitor> {
  const device = randomUUID();
  const session = await pbx.relay.signIn(agent, device);
  const answer = await pbx.relay.fetch('/v1/credentials', { method: 'POST', token: session.token });
  const { sip } = (await answer.json()) as Credentials;
  const extension = String(1200 + Number(agent.slice(1)));
  const user = sip.user ?? extension;
  const url = `${pbx.relay.relay.url}/v1/live/events`;
  const stream = await EventStream.open(
    url,
    phoneKey.headers({ method: 'GET', url, token: session.token, now: Date.now() }),
  );
  const phone = await WssClient.connect(pbx, { instance: device });
  const { status } = await phone.register(user, sip);
  if (status !== 200) throw new Error(`A new credential was answered ${status} by ${pbx.kind}.`);
  const panel = await pbx.relay.connect(session.token);
  const visitor: Visitor = {
    ...{ agent, extension, device, session, user, panel, stream, phone },
    credential: sip,
    closed: false,
    streamEnded: false,
  };
  void panel.closed.then(() => {
    visitor.closed = true;
  });
  void stream.ended.then(() => {
    visitor.streamEnded = true;
  });
  return visitor;
}

async function leave({ phone, panel, stream }: Visitor): Promise<void> {
  stream.close();
  panel.socket.terminate();
  await phone.close();
}

function revoke(pbx: IssuingPbx, what: string, whole: boolean): Promise<Response> {
  const path = `/v1/admin/agents/acme/${what}${whole ? '/revoke' : ''}`;
  return pbx.relay.fetch(path, {
    method: whole ? 'POST' : 'DELETE',
    token: adminToken,
    ...(whole ? { json: {} } : {}),
  });
}

/** What has to be dead; each may be asked again. */
function deaths(
  pbx: IssuingPbx,
  victim: Visitor,
  call: { ended(): boolean } | null,
): readonly (() => Promise<boolean>)[] {
  const { token } = victim.session;
  const anew = async <T>(work: (phone: WssClient) => Promise<T>): Promise<T> => {
    const phone = await WssClient.connect(pbx);
    return work(phone).finally(() => phone.close());
  };
  const target = `sip:nobody@${pbx.domain}`;
  return [
    async () => (await pbx.relay.fetch('/v1/profile', { token })).status === 401,
    async () => (await pbx.relay.fetch('/v1/credentials', { method: 'POST', token })).status === 401,
    () => Promise.resolve(victim.closed),
    () => Promise.resolve(victim.streamEnded),
    async () => refused.includes((await victim.phone.register(victim.user, victim.credential)).status),
    () => anew(async (phone) => refused.includes((await phone.register(victim.user, victim.credential)).status)),
    () =>
      anew(async (phone) => {
        const options = { from: victim.user, to: 'nobody', credential: victim.credential };
        return refused.includes((await phone.request('INVITE', target, options)).status);
      }),
    // On a PBX where devices share an address of record the others stay.
    async () =>
      (await pbx.bindings(victim.user)) <= (victim.agent === 'a0' && victim.user === victim.extension ? 1 : 0),
    ...(call === null ? [] : [() => Promise.resolve(call.ended())]),
  ];
}

async function until(dead: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (!(await dead())) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return true;
}

async function untouched(pbx: IssuingPbx, bystander: Visitor): Promise<boolean> {
  const profile = await pbx.relay.fetch('/v1/profile', { token: bystander.session.token });
  const bindings = await pbx.bindings(bystander.user);
  const { status } = await bystander.phone.register(bystander.user, bystander.credential);
  return profile.status === 200 && bindings > 0 && status === 200 && !bystander.closed && !bystander.streamEnded;
}

/** A call that is up, as far as the PBX is concerned. */
async function callInto(
  pbx: IssuingPbx,
  { phone, user, credential }: Visitor,
  number: string,
): Promise<{ ended(): boolean }> {
  const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.9',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=audio 9 UDP/TLS/RTP/SAVPF 0',
    'c=IN IP4 192.0.2.9',
    'a=mid:0',
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:0 PCMU/8000',
    'a=ice-ufrag:abcd',
    'a=ice-pwd:abcdefghijklmnopqrstuvwx',
    `a=fingerprint:sha-256 ${fingerprint}`,
    'a=setup:actpass',
    'a=candidate:1 1 udp 2130706431 192.0.2.9 40000 typ host',
    '',
  ];
  const uri = `sip:${number}@${pbx.domain}`;
  const answer = await phone.request('INVITE', uri, { from: user, to: number, credential, body: lines.join('\r\n') });
  if (answer.status !== 200) throw new Error(`The call was answered ${answer.status} ${answer.reason}.`);
  phone.acknowledge(answer);
  const callId = answer.header('call-id') ?? '';
  return { ended: () => phone.received.some((text) => text.startsWith('BYE ') && text.includes(callId)) };
}
