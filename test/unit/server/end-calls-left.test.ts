/** How each kind of phone system is told to end the calls of a device that is gone, and what else of it is left alone. */
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { AgentId, DeviceId } from '@patchcord/call-protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { checkConfig } from '../../../server/src/config.ts';
import { shortName } from '../../../server/src/credentials/digest.ts';
import type { CredentialIssuer } from '../../../server/src/credentials/issuer.ts';
import { issuerOf } from '../../../server/src/credentials/issuers.ts';
import { createLog } from '../../../server/src/logging.ts';
import type { CredentialStore, IssuedCredential } from '../../../server/src/store/contract.ts';
import { FakeEdge } from './fake-edge.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

const line = { agent: 'ada' as AgentId, extension: '1001' };
const device = randomUUID() as DeviceId;
const other = randomUUID() as DeviceId;
const nameOf = (of: DeviceId): string => `1001-${shortName(`acme ada ${of}`, 12)}`;
const [mine, theirs] = [nameOf(device), nameOf(other)];

let servers: { close(): unknown }[] = [];
afterEach(async () => {
  for (const server of servers) await server.close();
  servers = [];
});

function issuerWith(credential: unknown, revocation: unknown = {}): CredentialIssuer {
  const { sip, ...rest } = testTenant();
  const tenants = [{ ...rest, sip: { ...sip, credential, revocation } }] as never;
  const [tenant] = checkConfig(testConfig({ tenants })).tenants;
  if (tenant === undefined) throw new Error('there is no tenant');
  const issued = [mine, theirs].map((user) => ({ user, device: user === mine ? device : other }) as IssuedCredential);
  const store = { issuedTo: () => Promise.resolve(issued) } as unknown as CredentialStore;
  return issuerOf(tenant, { store, log: createLog('silent'), now: Date.now });
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

describe('the calls of a device that is gone', () => {
  it('are ended at the Kamailio edge by their Call-IDs', async () => {
    const edge = await FakeEdge.start();
    servers.push({ close: () => edge.stop() });
    const hex = Buffer.from('sip:x@example.com').toString('hex');
    const row = (over: number): string => `1001|14155550101|1|2|${over}|a,b|${hex}|${hex}|${hex}|sip:hop|${hex}`;
    for (const [id, over] of Object.entries({ named: 0, unnamed: 0, over: 7 }))
      edge.table('brake_call').set(id, row(over));
    const issuer = issuerWith(
      { kind: 'kamailio-ephemeral', secret: 'a-sip-secret-that-only-tests-know-0001' },
      { kamailioRpcUrl: edge.url },
    );
    expect(await issuer.endCalls?.(line, device, ['named', 'over', 'elsewhere'])).toBe(1);
    expect([...edge.table('brake_end').keys()]).toEqual(['named']);
    expect(edge.asked.filter((one) => one.includes('Call-ID: named'))).toHaveLength(2);
    expect(edge.asked.join()).not.toContain('unnamed');
    expect(await issuer.endCalls?.(line, device, [])).toBe(0);
  });

  it('are ended on Asterisk: what it began, what came to it, what it took up in another device’s dialog', async () => {
    const channels: Readonly<Record<string, { name: string; target?: string; callId: string }>> = {
      began: { name: `PJSIP/${mine}-00000001`, callId: 'one' },
      came: { name: 'PJSIP/991001-00000002', target: 'sip:x@10.0.0.1:5', callId: 'two' },
      tookUp: { name: `PJSIP/${theirs}-00000003`, callId: 'resumed' },
      othersOwn: { name: `PJSIP/${theirs}-00000004`, callId: 'three' },
      cameToOther: { name: 'PJSIP/991001-00000005', target: 'sip:y@10.0.0.2:5', callId: 'four' },
      colleague: { name: 'PJSIP/1002-abcdefghijkl-00000006', callId: 'resumed' },
    };
    const ended: string[] = [];
    const server = createHttpServer((request, response) => {
      const url = decodeURIComponent(request.url ?? '');
      const [, id = '', variable] = /\/channels\/(\w+)(?:\/variable\?variable=(.*))?$/.exec(url) ?? [];
      const channel = channels[id];
      let answer: unknown = [];
      if (request.method === 'DELETE') {
        ended.push(id);
        answer = undefined;
      } else if (url.endsWith('/channels')) {
        answer = Object.entries(channels).map(([one, { name }]) => ({ id: one, name }));
      } else if (variable === `PJSIP_AOR(${mine},contact)`) answer = { value: 'c1' };
      else if (variable === 'PJSIP_CONTACT(c1,uri)') answer = { value: 'sip:x@10.0.0.1:5;transport=ws' };
      else if (variable === 'CHANNEL(pjsip,target_uri)') answer = { value: `<${channel?.target ?? ''};ob>` };
      else if (variable === 'CHANNEL(pjsip,call-id)') answer = { value: channel?.callId };
      response.end(answer === undefined ? '' : JSON.stringify(answer));
    });
    const url = `http://127.0.0.1:${await listening(server)}/ari`;
    const issuer = issuerWith({ kind: 'asterisk-ari', url, username: 'relay', password: 'p'.repeat(24) });
    expect(await issuer.endCalls?.(line, device, ['one', 'resumed'])).toBe(3);
    expect(ended.sort()).toEqual(['began', 'came', 'tookUp']);
    server.closeAllConnections();
  });

  it('are ended on FreeSWITCH by its user, over the event socket', async () => {
    const commands: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('Content-Type: auth/request\n\n');
      socket.on('data', (data) => {
        for (const command of data
          .toString()
          .split('\n\n')
          .filter((text) => text !== '')) {
          commands.push(command);
          if (command.startsWith('auth')) socket.write('Content-Type: command/reply\nReply-Text: +OK accepted\n\n');
          else {
            const uuid = '6f5b1d0a-0b1c-4c3e-9f0a-1a2b3c4d5e6f';
            const body = command.includes('show channels') ? JSON.stringify({ rows: [{ uuid }] }) : '+OK';
            socket.write(`Content-Type: api/response\nContent-Length: ${body.length}\n\n${body}`);
          }
        }
      });
    });
    const port = await listening(server);
    const eventSocket = { host: '127.0.0.1', port, password: 'ClueCon-but-ours' };
    const issuer = issuerWith({ kind: 'freeswitch-xmlcurl', token: 't'.repeat(40), eventSocket });
    expect(await issuer.endCalls?.(line, device, [])).toBe(1);
    expect(commands.slice(1)).toEqual([
      `api show channels like ${mine} as json`,
      'api uuid_kill 6f5b1d0a-0b1c-4c3e-9f0a-1a2b3c4d5e6f',
    ]);
  });

  it('are those of a phone that is registered where Asterisk says that its endpoint is online', async () => {
    const states: Record<string, string> = { [mine]: 'online', [theirs]: 'offline' };
    const server = createHttpServer((request, response) => {
      const state = states[request.url?.split('/').at(-1) ?? ''];
      response.writeHead(state === undefined ? 404 : 200).end(JSON.stringify({ technology: 'PJSIP', state }));
    });
    const url = `http://127.0.0.1:${await listening(server)}/ari`;
    const issuer = issuerWith({ kind: 'asterisk-ari', url, username: 'relay', password: 'p'.repeat(24) });
    const isRegistered = (of: DeviceId) => issuer.isRegistered?.(line, of);
    expect(await isRegistered(device)).toBe(true);
    expect(await isRegistered(other)).toBe(false);
    expect(await isRegistered(randomUUID() as DeviceId)).toBe(false);
    states[mine] = 'unknown';
    await expect(isRegistered(device)).rejects.toMatchObject({ code: 'sip.refused' });
    server.closeAllConnections();
  });

  it('can’t be ended where nobody can be asked to', () => {
    const secret = 'a-sip-secret-that-only-tests-know-0001';
    for (const credential of [
      { kind: 'kamailio-ephemeral', secret },
      { kind: 'freeswitch-xmlcurl', token: 't'.repeat(40) },
      { kind: 'jambonz-hook', username: 'relay', password: 'p'.repeat(24) },
      { kind: 'static', agents: {} },
    ])
      expect(issuerWith(credential).endCalls).toBeUndefined();
  });
});
