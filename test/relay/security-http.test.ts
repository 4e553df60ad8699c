/** What every answer of the relay carries, and what no request gets past: walked over all routes there are. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { methodsAt, type RouteAddress } from '../../server/src/http/routes.ts';
import { createLog } from '../../server/src/logging.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

const panel = {
  files: new Map([
    ...['salesforce', 'hubspot', 'page'].map((crm) => [`panel-${crm}-0123456789ab.js`, Buffer.from('1')] as const),
    ['panel-0123456789ab.css', Buffer.from('a{}')],
  ]),
};
const hubspot = (portalId: number) =>
  ({ kind: 'hubspot', portalId, appId: 2, clientId: 'c', clientSecret: 's', refreshToken: 'r' }) as const;
const lines: string[] = [];
let one: RelayInTest;
let routes: readonly RouteAddress[];

beforeAll(async () => {
  one = await startRelayInTest(
    testConfig({
      publicUrl: 'https://phone.example.com',
      tenants: [
        testTenant(),
        testTenant({ id: 'globex', name: 'Globex', hostOrigins: ['https://globex.example.net'] }),
        testTenant({ id: 'hub', crm: hubspot(1), hostOrigins: ['https://app.hubspot.com'] }),
        testTenant({ id: 'hub2', crm: hubspot(2), hostOrigins: ['https://app-eu1.hubspot.com'] }),
      ],
    }),
    { panel, log: createLog('trace', { write: (line: string) => void lines.push(line) }) },
  );
  routes = one.relay.routes;
});
afterAll(() => one.closed());

const pathOf = (route: RouteAddress): string =>
  route.path.replace(':tenant', 'acme').replace(':name', 'panel-page-0123456789ab.js').replace(/:\w+/g, 'x');
const isPage = (path: string): boolean => /(?:^|\/)(?:salesforce|hubspot|page)\/$/.test(path);

/** Every route, as somebody with no business here asks it. */
function walk(ask: (route: RouteAddress, path: string) => Promise<void>): Promise<unknown> {
  return Promise.all(routes.map((route) => ask(route, pathOf(route))));
}

it('every answer carries the headers that keep a browser from misusing it, refusals and faults among them', async () => {
  const check = (what: string, response: Response, page: boolean): void => {
    const header = (name: string): string => response.headers.get(name) ?? '';
    const policy = header('content-security-policy');
    expect(header('x-content-type-options'), what).toBe('nosniff');
    expect(header('referrer-policy'), what).toBe('no-referrer');
    expect(header('strict-transport-security'), what).toBe('max-age=31536000; includeSubDomains');
    expect(policy, what).toContain("default-src 'none'");
    expect(policy, what).toContain('frame-ancestors ');
    expect(policy, what).not.toMatch(/unsafe-(?:inline|eval)| \*(?:;| |$)/);
    expect(header('access-control-allow-origin'), what).toBe('');
    expect(header('x-powered-by'), what).toBe('');
    expect(header('server'), what).toBe('');
    if (response.headers.get('content-length') !== '0' && response.status !== 308) {
      expect(header('content-type'), what).toMatch(/charset=utf-8|^text\/plain/);
    }
    // Without an object-src of its own, default-src holds for objects too.
    expect(policy, what).toMatch(/object-src 'none'|^(?!.*object-src)/);
    expect(policy, what).toContain("base-uri 'none'");
    if (!page) {
      expect(policy, what).toContain("frame-ancestors 'none'");
      expect(header('x-frame-options'), what).toBe('DENY');
      // The sign-in window hands its result to the panel that opened it.
      const opener = /\/v1\/sign-in\/(?:callback|acme\/)/.test(what) ? 'unsafe-none' : 'same-origin';
      expect(header('cross-origin-opener-policy'), what).toBe(opener);
      expect(header('cross-origin-resource-policy'), what).toBe('same-origin');
    }
    const cached = header('cache-control');
    if (what.includes('/assets/')) expect(cached, what).toContain('immutable');
    else expect(cached, what).toContain('no-store');
  };
  await walk(async (route, path) => {
    const response = await one.fetch(path, { method: route.method, redirect: 'manual' });
    await response.arrayBuffer();
    check(`${route.method} ${path}`, response, isPage(path) && response.status === 200);
  });
  for (const [path, init] of [
    ['/nothing', {}],
    ['/healthz', { method: 'DELETE' }],
    ['/v1/sessions', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
    [`/${'x'.repeat(5_000)}`, {}],
    ['/%E0%A4%A', {}],
  ] as const) {
    const response = await one.fetch(path, init);
    await response.arrayBuffer();
    check(`${path.slice(0, 20)} ${response.status}`, response, false);
  }
});

it('a page is framed by its own tenant alone, and the short address tells nobody of the others', async () => {
  const framing = async (path: string): Promise<string> => {
    const policy = (await one.fetch(path)).headers.get('content-security-policy') ?? '';
    return /frame-ancestors ([^;]*)/.exec(policy)?.[1] ?? 'missing';
  };
  expect(await framing('/t/acme/page/')).toBe('https://crm.example.com');
  expect(await framing('/t/globex/page/')).toBe('https://globex.example.net');
  // HubSpot has one address per app: its own origins of all regions, which tell of nobody.
  expect(await framing('/hubspot/')).toBe('https://app.hubspot.com https://app-eu1.hubspot.com');
  expect(await framing('/t/hub2/hubspot/')).toBe('https://app-eu1.hubspot.com');
  // Where a link in the CRM plays a recording.
  expect(await framing('/t/hub2/page/')).toBe('https://app-eu1.hubspot.com');
  const ambiguous = await one.fetch('/page/');
  expect(ambiguous.status).toBe(404);
  expect(await framing('/page/')).toBe("'none'");
  expect(await ambiguous.text()).not.toMatch(/acme|globex/i);
  for (const path of ['/t/acme/hubspot/', '/t/nobody/page/', '/t/acme/salesforce/'])
    expect((await one.fetch(path)).status).toBe(404);
  const html = await (await one.fetch('/t/globex/page/')).text();
  expect(html).toContain('data-host-origins="https://globex.example.net"');
  const redirect = await one.fetch('/t/acme/page?a=1', { redirect: 'manual' });
  expect(redirect.headers.get('location')).toBe('/t/acme/page/?a=1');
});

it('a page says nothing that somebody put into an address', async () => {
  for (const path of [
    '/t/acme/page/?x=%3Cscript%3E',
    '/t/%3Cscript%3E/page/',
    '/page/?sfdcIframeOrigin=%22%3E%3Cscript%3E',
    '/t/%22onload%3D/hubspot/',
  ]) {
    expect(await (await one.fetch(path)).text()).not.toMatch(/<script>|"onload=/);
  }
  // Not even a redirect leaves this host.
  for (const path of ['//evil.example/page', '/t/%2F%2Fevil.example/page', '/\\evil.example/page']) {
    const response = await one.fetch(path, { redirect: 'manual' });
    expect(response.headers.get('location') ?? '/t/').toMatch(/^\/t\//);
  }
});

it('no other origin is let in: no CORS answer, no request that changes something', async () => {
  await walk(async (route, path) => {
    for (const origin of [
      'https://evil.example',
      'null',
      'https://crm.example.com',
      'https://phone.example.com.evil.example',
    ]) {
      const preflight = await one.fetch(path, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': route.method,
          'access-control-request-headers': 'authorization',
        },
      });
      await preflight.arrayBuffer();
      for (const name of preflight.headers.keys()) expect(name).not.toContain('access-control');
      if (route.method === 'GET') continue;
      const response = await one.fetch(path, {
        method: route.method,
        headers: { origin, authorization: `Bearer ${adminToken}` },
      });
      expect(`${route.method} ${path} ${response.status}`).toMatch(/ 403$/);
      await response.arrayBuffer();
    }
  });
  const { code } = await one.relay.createPairingCode('acme', 'ada');
  const own = await one.fetch('/v1/sessions', {
    headers: { origin: 'https://phone.example.com' },
    json: { device: crypto.randomUUID(), proof: { kind: 'pairing-code', code } },
  });
  expect(own.status).not.toBe(403);
});

it('a method that a path does not have is refused with those it has, TRACE and made-up ones among them', async () => {
  await walk(async (_route, path) => {
    const allowed = methodsAt(routes, path);
    for (const method of ['PUT', 'PATCH', 'PROPFIND'].filter((one) => !allowed.includes(one))) {
      const response = await one.fetch(path, { method });
      expect(`${method} ${path} ${response.status}`).toMatch(/ 405$/);
      expect(response.headers.get('allow')).toBe(allowed.join(', '));
      await response.arrayBuffer();
    }
  });
  expect(await raw('TRACE /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 40[05]/);
  expect(await raw('EVIL /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
});

it('a request whose length is told twice is refused', async () => {
  for (const headers of [
    'Content-Length: 4\r\nTransfer-Encoding: chunked',
    'Content-Length: 4\r\nContent-Length: 40',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding : chunked',
  ]) {
    const answer = await raw(
      `POST /v1/sessions HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect(answer).not.toContain('patchcord_');
  }
});

it('what is too long, too large or too deep is refused and the relay goes on', async () => {
  const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  const post = (body: string) =>
    one.fetch('/v1/sessions', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  expect((await post(deep(8_000))).status).toBe(400);
  expect((await post(`{"device":${deep(7_000)}}`)).status).toBe(400);
  expect((await post(' '.repeat(20_000))).status).toBe(413);
  expect((await one.fetch(`/v1/matches?number=${'1'.repeat(5_000)}`)).status).toBe(414);
  expect(await raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 431/,
  );
  const session = await signedIn();
  const socket = await one.connect(session.token);
  socket.send(`{"type":"publish","events":[${deep(30_000)}]}`);
  expect((await socket.next((message) => message.type === 'refused')).type).toBe('refused');
  expect((await one.fetch('/healthz')).status).toBe(200);
});

it('an error tells nothing of the inside', async () => {
  const told: string[] = [];
  const ask = async (path: string, init?: RequestInit): Promise<void> => {
    told.push(await (await one.fetch(path, init)).text());
  };
  for (const path of [
    '/.git/config',
    '/.env',
    '/assets/',
    '/assets/..%2fpackage.json',
    '/%E0%A4%A',
    '/v1/../server/src/main.ts',
    '/assets/%00',
  ])
    await ask(path);
  for (const body of ['{', '"x"', '{"__proto__":1}', '\u0000']) {
    await ask('/v1/sessions', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    await ask('/v1/sessions', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json; charset=utf-99' },
    });
    await ask('/v1/sessions', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
  }
  for (const text of told)
    expect(text).not.toMatch(
      /\bat .*\.(?:ts|js):\d|node_modules|\/home\/|server\/src|SyntaxError|ENOENT|sqlite|\[core\]/i,
    );
});

it('the address of a client cannot be made up: a proxy that was not declared is not believed', async () => {
  for (const forged of ['127.0.0.1', '::1', '203.0.113.1, 127.0.0.1']) {
    expect((await one.fetch('/metrics', { headers: { 'x-forwarded-for': forged } })).status).toBe(401);
  }
  const answers: number[] = [];
  for (let count = 0; count < 70; count += 1) {
    answers.push(
      (
        await one.fetch('/no-such-page', {
          headers: { 'x-forwarded-for': `198.51.100.${count}`, forwarded: `for=198.51.100.${count}` },
        })
      ).status,
    );
  }
  expect(answers).toContain(429);
});

it('a prototype cannot be polluted and a parameter counts once', async () => {
  const session = await signedIn();
  for (const body of [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"device":{"__proto__":{"polluted":1}}}',
  ]) {
    await (
      await one.fetch('/v1/sessions', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    ).text();
  }
  const socket = await one.connect(session.token);
  socket.send('{"type":"publish","events":[{"__proto__":{"polluted":1}}],"__proto__":{"polluted":1}}');
  await socket.next((message) => message.type === 'refused' || message.type === 'error');
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
  const twice = await one.fetch('/v1/matches?number=%2B14155550101&number=%2B14155550102', { token: session.token });
  expect(twice.status).toBe(400);
});

it('nothing that is put into a field reaches the database as a statement', async () => {
  const session = await signedIn();
  const socket = await one.connect(session.token);
  const callId = crypto.randomUUID();
  const note = `'; drop table calls; -- " ) or 1=1`;
  socket.publish(...envelopes(callId, [...answeredCall, { name: 'wrap-up.submitted', data: { note } }]));
  await socket.acknowledged();
  for (const tenant of ["acme'--", "acme' or '1'='1", 'acme;select 1']) {
    expect(
      (await one.fetch(`/v1/admin/deliveries?tenant=${encodeURIComponent(tenant)}`, { token: adminToken })).status,
    ).toBe(400);
  }
  const { calls } = (await (await one.fetch('/v1/calls', { token: session.token })).json()) as {
    calls: readonly { callId: string }[];
  };
  expect(calls.map((call) => call.callId)).toContain(callId);
});

it('a sign-in, a refusal and a fault each leave a line: when in UTC, who, what', async () => {
  lines.length = 0;
  await signedIn();
  await one.fetch('/v1/sessions', {
    json: { device: crypto.randomUUID(), proof: { kind: 'pairing-code', code: 'AAAA-AAAA' } },
  });
  const read = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const line = (message: RegExp): Record<string, unknown> => read.find(({ msg }) => message.test(String(msg))) ?? {};
  expect(line(/signed in/)).toMatchObject({ level: 'info', tenant: 'acme', agent: 'ada' });
  expect(line(/refused/)).toMatchObject({ level: 'warn', kind: 'pairing-code' });
  for (const { time } of read) expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

it('a line of the log cannot be made by what somebody sends', async () => {
  lines.length = 0;
  const forged = '{"level":"info","msg":"signed in","agent":"root"}';
  await one.fetch('/v1/sessions', {
    json: { device: `x\n${forged}\n`, proof: { kind: 'salesforce-assertion', assertion: `a\r\n${forged}` } },
  });
  await one.fetch(`/v1/${encodeURIComponent(`\n${forged}`)}`);
  for (const line of lines) {
    expect(line.trimEnd()).not.toContain('\n');
    expect((JSON.parse(line) as { agent?: string }).agent).not.toBe('root');
  }
});

async function signedIn(): Promise<{ readonly token: string }> {
  return one.signIn();
}

/** What the relay answers to these very bytes. */
function raw(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(one.relay.port, '127.0.0.1', () => socket.write(request));
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString();
      if (!request.includes('Connection: close')) socket.end();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
