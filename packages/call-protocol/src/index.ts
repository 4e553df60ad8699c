/** The shared language of panel, engine, adapters and relay. Imports nothing but valibot, does nothing. */
export * from './after-call.ts';
export * from './call.ts';
export * from './call-log.ts';
export * from './envelope.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './ids.ts';
export * from './listening.ts';
export * from './page-channel.ts';
export * from './recording.ts';
export * from './records.ts';
export * from './relay-api.ts';
export * from './reports.ts';
export * from './screen-pop.ts';
export * from './sound-wire.ts';
