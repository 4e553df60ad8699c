#!/usr/bin/env node
/** Hands the calls that rtpengine recorded to the relay, until it is stopped. Owns its settings and when it looks; the folder is `spool.ts`. */
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Spool } from './spool.ts';

const help = `Hands the calls that rtpengine recorded (recording-method = pcap) to the relay.

  ship-recordings [--once]

  --once   looks through the folder once and ends; 1 where something went wrong

  PATCHCORD_URL      https://relay.example.com/v1/recordings/<tenant>/kamailio
  PATCHCORD_HEADER   a file (mode 0600) with one line: Authorization: Bearer <secret>
  PATCHCORD_SPOOL    rtpengine's recording-dir; default /var/spool/rtpengine
  PATCHCORD_EVERY    seconds between two looks; default 5
  PATCHCORD_AGAIN    seconds until the relay is asked again about a call that it does not know (all of) yet; default 60

What the relay has is removed, and what it does not want kept. What it can never take goes to the folder "refused", with the reason.
`;

/** @throws Error in words for an operator */
async function settings(env: NodeJS.ProcessEnv): Promise<{
  readonly url: string;
  readonly authorization: string;
  readonly folder: string;
  readonly everyMs: number;
  readonly againMs: number;
}> {
  const given = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '') throw new Error(`${name} is not set; see --help`);
    return value;
  };
  const url = given('PATCHCORD_URL').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]+\/v1\/recordings\/[^/]+\/kamailio$/.test(url)) {
    throw new Error('PATCHCORD_URL must be https://<relay>/v1/recordings/<tenant>/kamailio');
  }
  const path = given('PATCHCORD_HEADER');
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new Error(`PATCHCORD_HEADER: ${path} can't be read`, { cause });
  });
  const authorization = /^authorization:\s*(\S.*\S)\s*$/im.exec(text)?.[1];
  if (authorization === undefined) throw new Error(`${path} has no line "Authorization: Bearer <secret>"`);
  const seconds = (name: string, usual: number): number => {
    const value = Number(env[name] ?? usual);
    if (!(value > 0)) throw new Error(`${name} must be a number of seconds`);
    return value * 1_000;
  };
  return {
    ...{ url, authorization, folder: env.PATCHCORD_SPOOL ?? '/var/spool/rtpengine' },
    everyMs: seconds('PATCHCORD_EVERY', 5),
    againMs: seconds('PATCHCORD_AGAIN', 60),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { help: { type: 'boolean' }, once: { type: 'boolean' } } });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const { everyMs, ...options } = await settings(process.env);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const spool = new Spool({ ...options, say, now: Date.now });
  if (values.once) return spool.look();
  for (;;) {
    // A folder that can't be read now may be read later: nothing is lost by waiting.
    await spool.look().catch((error: Error) => say(`the recordings could not be looked through: ${error.message}`));
    await wait(everyMs);
  }
}

main().catch((error: Error) => {
  process.stderr.write(`ship-recordings: ${error.message}\n`);
  process.exitCode = 1;
});
