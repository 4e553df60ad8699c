/**
 * S14: a TURN server is a door into the network it stands in. With a good credential, asks the real coturn to relay to everything private, to
 * itself and to multicast, in every form an address can have; and for more than the quota. Owns the questions; counts what was granted.
 */
import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Drill } from '../drill.ts';
import { startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { TurnClient } from './s14-turn-client.ts';

/** First, last and one between of everything that is nobody's business from outside. */
const forbidden4 = [
  ...['0.0.0.0', '0.0.0.1', '10.0.0.1', '10.255.255.255', '10.77.0.10', '10.77.0.21', '100.64.0.1', '100.127.255.254'],
  ...['127.0.0.1', '127.0.0.53', '127.255.255.254', '169.254.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.254'],
  ...['192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.0.1', '192.168.255.254', '198.18.0.1', '198.19.255.254'],
  ...['198.51.100.1', '203.0.113.1', '224.0.0.1', '224.0.0.251', '239.255.255.250', '240.0.0.1', '255.255.255.255'],
];
const forbidden6 = [
  ...['::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:169.254.169.254', '::10.0.0.1', '::127.0.0.1'],
  ...[
    '64:ff9b::10.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b:1::10.0.0.1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:a00:1::1',
  ],
  ...['2002:7f00:1::', 'fc00::1', 'fdff:ffff::1', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', 'ff02::fb', 'ff0e::1'],
];

/** What the TURN server relays IPv6 from: any address that is not a private one. */
const relay6 = '2a00:1450::77';

function giveIpv6(namespace: string): void {
  for (const scope of ['all', 'default', 'lo']) {
    execFileSync('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', `net.ipv6.conf.${scope}.disable_ipv6=0`]);
  }
  execFileSync('ip', ['-n', namespace, 'addr', 'replace', `${relay6}/128`, 'dev', 'lo']);
}

/** `user-quota` of the recipe. */
const quota = 12;

export const drill: Drill = {
  about: 'TURN towards loopback, private, link-local, carrier and multicast addresses in v4 and v6, and past the quota',
  async run({ short, say }) {
    const lab = labFromEnvironment();
    const secret = randomBytes(24).toString('hex');
    giveIpv6(lab.edge.namespace);
    const edge = await startEdge(lab, {
      credentialSecret: randomBytes(32).toString('hex'),
      turnSecret: secret,
      turnRelay6: relay6,
    });
    const [, address = '', port = ''] = /^turn:([^:]+):(\d+)$/.exec(edge.turnUrl) ?? [];
    const client = (name: string): TurnClient => {
      const username = `${Math.floor(Date.now() / 1_000) + 300}:${name}`;
      const password = createHmac('sha1', secret).update(username).digest('base64');
      return new TurnClient({ address, port: Number(port) }, { username, password });
    };
    const clients: TurnClient[] = [];
    const private_ = createSocket('udp4');
    let heardPrivate = 0;
    private_.on('message', () => {
      heardPrivate += 1;
    });
    try {
      await new Promise<void>((resolve) => private_.bind(0, lab.agent.address, resolve));
      const thief = client('thief');
      clients.push(thief);
      const allocated = await thief.allocate();
      if (allocated.code !== 0) throw new Error(`coturn gave no allocation: ${allocated.code}`);

      say('forbidden peers');
      let granted = 0;
      let tried = 0;
      const grantedTo: string[] = [];
      const thief6 = client('thief6');
      clients.push(thief6);
      const allocated6 = await thief6.allocate(6);
      if (allocated6.code !== 0) throw new Error(`coturn gave no IPv6 allocation: ${allocated6.code}`);
      // An address that is nobody's shows that it is not the family that is refused.
      const open6 = (await thief6.permit('2a00:1450::1')).code === 0;
      const questions = [
        ...[...forbidden4, ...forbidden6].map((peer) => [thief, peer] as const),
        ...forbidden6.map((peer) => [thief6, peer] as const),
      ];
      for (const [who, peer] of questions) {
        for (const ask of [() => who.permit(peer), () => who.bind(peer, 5_060)]) {
          tried += 1;
          const { code } = await ask();
          if (code !== 0) continue;
          granted += 1;
          grantedTo.push(peer);
        }
      }
      // Sent without asking, too: to a socket of this machine that would hear it.
      for (let n = 0; n < 5; n += 1) thief.send(lab.agent.address, private_.address().port, 'hello');

      say('the one address that is allowed');
      const allowed =
        (await thief.permit(lab.edge.address)).code === 0 && (await thief.bind(lab.edge.address, 30_000)).code === 0;

      say('past the quota');
      const username = 'greedy';
      let allocations = 0;
      for (let n = 0; n < (short ? quota + 4 : quota * 3); n += 1) {
        const one = client(username);
        clients.push(one);
        if ((await one.allocate()).code === 0) allocations += 1;
      }

      say('wrong and lapsed credentials');
      const lapsed = `${Math.floor(Date.now() / 1_000) - 5}:late`;
      const wrong = [
        new TurnClient(
          { address, port: Number(port) },
          { username: `${Math.floor(Date.now() / 1_000) + 300}:x`, password: 'guessed' },
        ),
        new TurnClient(
          { address, port: Number(port) },
          { username: lapsed, password: createHmac('sha1', secret).update(lapsed).digest('base64') },
        ),
      ];
      clients.push(...wrong);
      let wrongGranted = 0;
      for (const one of wrong) if ((await one.allocate()).code === 0) wrongGranted += 1;

      const succeeded = granted + wrongGranted + heardPrivate;
      return {
        passed: succeeded === 0 && allowed && open6 && allocations > 0 && allocations <= quota,
        tried: tried + 5 + wrong.length,
        succeeded,
        failed: tried + 5 + wrong.length - succeeded,
        allowedPeerWorks: allowed,
        allocationsOfOneUser: allocations,
        quota,
        ...(grantedTo.length === 0 ? {} : { note: `granted: ${[...new Set(grantedTo)].join(' ')}` }),
      };
    } finally {
      await Promise.all(clients.map((one) => one.release()));
      const closed = once(private_, 'close');
      private_.close();
      await closed;
      await edge.stop();
    }
  },
};
