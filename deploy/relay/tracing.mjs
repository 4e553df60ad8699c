/**
 * Loads the OpenTelemetry SDK beside the relay: `node --import ./tracing.mjs server/src/main.ts serve`. The relay itself only speaks the API; without
 * this file nothing is traced and nothing is loaded. Install beside it, in versions of your own choice:
 *
 *   npm install @opentelemetry/sdk-trace-node @opentelemetry/exporter-trace-otlp-http
 *
 * OTEL_EXPORTER_OTLP_ENDPOINT (default http://localhost:4318) says where spans go, OTEL_SERVICE_NAME what the relay is called there, and
 * OTEL_TRACES_SAMPLER with OTEL_TRACES_SAMPLER_ARG which calls are traced (`traceidratio`, 0.1: one in ten; the trace id is the call id, so every
 * relay picks the same ones). The exporter was not run with a collector here; the spans are tested with the SDK's in-memory exporter.
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, NodeTracerProvider, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-node';

process.env.OTEL_SERVICE_NAME ??= 'patchcord-relay';
const ratio = Number(process.env.OTEL_TRACES_SAMPLER_ARG ?? '1');
const provider = new NodeTracerProvider({
  // By the trace id alone: the relay marks every call as worth tracing, and this says which ones really are.
  sampler: new TraceIdRatioBasedSampler(Number.isFinite(ratio) ? ratio : 1),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
// Registers the W3C propagator, too: without it no `traceparent` goes out.
provider.register();

for (const signal of ['SIGTERM', 'SIGINT']) {
  // The relay ends the process after its drain; what is still in the batch goes out meanwhile.
  process.once(signal, () => {
    provider.forceFlush().catch(() => {});
  });
}
