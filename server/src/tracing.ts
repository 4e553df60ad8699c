/**
 * One trace per call, from the click to the row in the CRM. Owns how a call id becomes a trace, the spans of the relay and the header that
 * goes out with a request. Speaks to the OpenTelemetry API only: without an SDK loaded beside the relay all of it does nothing. Must never
 * put a number, a name or a secret into an attribute.
 *
 * The trace id is the call id: a UUID has the 128 bits that W3C Trace Context asks for, and everybody who knows the call knows its trace: the
 * panel sends nothing more, a restart loses nothing, and an operator finds the trace of a call by its id.
 */
import { createHash } from 'node:crypto';
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { errorCode } from '@patchcord/call-protocol';

const tracer = () => trace.getTracer('patchcord-relay');

/** The trace id of a call (W3C Trace Context section 3.2.2.3): its UUID without the dashes. Null for what is no UUID, or the zero one. */
export function traceIdOf(callId: string): string | null {
  const id = callId.replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(id) && !/^0+$/.test(id) ? id : null;
}

/** Where spans of this call hang: below the call itself, which no one reports. Without a call: what is under way now. */
export function contextOfCall(callId: string | null | undefined): Context {
  const traceId = callId === null || callId === undefined ? null : traceIdOf(callId);
  if (traceId === null) return context.active();
  const active = trace.getSpanContext(context.active());
  if (active?.traceId === traceId) return context.active();
  // The same parent for every relay that works on the call.
  const spanId = createHash('sha256').update(traceId).digest('hex').slice(0, 16);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
}

export interface SpanOptions {
  /** The call this is about: it chooses the trace. */
  readonly callId?: string | null | undefined;
  readonly attributes?: Attributes;
  /** `client` for a request that leaves the relay. */
  readonly kind?: 'internal' | 'client';
}

/** Runs `work` in a span of its own; what `work` rejects with is noted by its code and passed on. */
export function inSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  const parent = contextOfCall(options.callId);
  const span = tracer().startSpan(
    name,
    {
      kind: options.kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL,
      attributes: {
        ...options.attributes,
        ...(options.callId === null || options.callId === undefined ? {} : { 'patchcord.call.id': options.callId }),
      },
    },
    parent,
  );
  return context.with(trace.setSpan(parent, span), async () => {
    try {
      return await work();
    } catch (error) {
      // The code only: a message may quote what somebody typed.
      span.setStatus({ code: SpanStatusCode.ERROR, message: errorCode(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Notes a time that has passed already: how long something waited. Times are epoch ms. */
export function noteSpan(name: string, options: SpanOptions, from: number, to: number): void {
  const attributes = { ...options.attributes, ...(options.callId ? { 'patchcord.call.id': options.callId } : {}) };
  const start = Math.min(from, to);
  tracer().startSpan(name, { startTime: start, attributes }, contextOfCall(options.callId)).end(to);
}

/** `traceparent` of what is under way now; empty without an SDK. For requests that leave the relay. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

/** `fetch` that carries the trace on. */
export const tracedFetch: typeof fetch = (input, init) => {
  const headers = traceHeaders();
  if (Object.keys(headers).length === 0) return fetch(input, init);
  const merged = new Headers(init?.headers);
  for (const [name, value] of Object.entries(headers)) merged.set(name, value);
  return fetch(input, { ...init, headers: merged });
};
