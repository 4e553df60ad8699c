/** Fakes of every seam of the engine, for tests of the engine and of whoever builds on it. The fakes keep the ports' obligations. */
export * from './deep-freeze.ts';
export * from './fake-channels.ts';
export * from './fake-clock.ts';
export * from './fake-lease.ts';
export * from './fake-sip.ts';
export * from './fake-sound.ts';
