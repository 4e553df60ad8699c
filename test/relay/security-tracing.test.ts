/** One call, one trace: from what the panel published to the request the CRM gets, with the SDK's own exporter. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { contextOfCall, inSpan, tracedFetch, traceHeaders, traceIdOf } from '../../server/src/tracing.ts';
import { answeredCall, envelopes, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

const spans = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const received: IncomingHttpHeaders[] = [];
const outside = createServer((request, response) => {
  received.push(request.headers);
  request.resume();
  response.end('{}');
});
let outsideUrl = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  outsideUrl = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await provider.shutdown();
  trace.disable();
  outside.closeAllConnections();
  await new Promise((resolve) => outside.close(resolve));
});

it('does nothing at all without an SDK', async () => {
  expect(await inSpan('quiet', { callId: randomUUID() }, async () => traceHeaders())).toEqual({});
});

it('takes the trace id from the call id, and none from what is no UUID', () => {
  expect(traceIdOf('7F3C1A9E-1234-4567-8901-123456789012')).toBe('7f3c1a9e123445678901123456789012');
  expect(traceIdOf('00000000-0000-0000-0000-000000000000')).toBeNull();
  expect(traceIdOf('call 17')).toBeNull();
  expect(trace.getSpanContext(contextOfCall('call 17'))).toBeUndefined();
});

it('draws one trace from the event the panel published to the request in the CRM and the webhook', async () => {
  provider.register();
  const crm = createMemoryRelay({});
  const write = crm.writeLog.bind(crm);
  crm.writeLog = async (...args) => {
    await tracedFetch(`${outsideUrl}/crm`, { method: 'POST', body: '{}' });
    return write(...args);
  };
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({ webhooks: [{ url: `${outsideUrl}/hook`, secret, events: ['call.ended'], allowPrivate: true }] }),
      ],
    }),
    { connectCrm: () => crm },
  );
  try {
    const callId = randomUUID();
    const session = await one.signIn();
    const panel = await one.connect(session.token);
    panel.publish(...envelopes(callId, answeredCall));
    await panel.event('log.saved');
    await expect.poll(() => spans.getFinishedSpans().map(({ name }) => name)).toContain('webhook');
    const ours = spans.getFinishedSpans().filter((span) => span.spanContext().traceId === traceIdOf(callId));
    const names = ours.map(({ name }) => name);
    for (const name of ['events taken', 'store commit', 'outbox wait', 'crm writeLog', 'webhook'])
      expect(names).toContain(name);
    // Every span of the call hangs together: below another one, or below the call itself.
    const roots = new Set(
      ours
        .map((span) => span.parentSpanContext?.spanId)
        .filter((id) => !ours.some((span) => span.spanContext().spanId === id)),
    );
    expect(roots.size).toBe(1);
    await expect.poll(() => received.length).toBe(2);
    for (const headers of received) expect(headers.traceparent).toContain(`00-${traceIdOf(callId)}-`);
    // What a span says of a call is its id and nothing of its content.
    expect(JSON.stringify(ours.map(({ attributes }) => attributes))).not.toMatch(/4155550101|Grace/);
  } finally {
    await one.closed();
  }
});
