/**
 * Owns one command's stay in the SIP laboratory: makes the network, runs the command in the agent namespace, removes everything.
 * Must never leave a namespace or process behind, whatever ends it (normal exit, Ctrl-C, SIGTERM; the next run removes what SIGKILL left).
 *
 *   node test/sip-lab/run-in-lab.ts -- npx vitest run test/sip-lab/lab.test.ts
 */
import { spawn } from 'node:child_process';
import { createLabNetwork, inNamespace, insideLab, labVariable, removeLabNetwork } from './namespaces.ts';

const [marker, ...rest] = process.argv.slice(2);
const command = marker === '--' ? rest : [marker, ...rest].filter((word) => word !== undefined);

if (command.length === 0) {
  console.error('Usage: node test/sip-lab/run-in-lab.ts -- <command…>\nNo command was given; say what to run inside.');
  process.exit(2);
}
if (insideLab()) {
  console.error(`Already inside a laboratory (${labVariable} is set): run the command directly.`);
  process.exit(2);
}

const lab = createLabNetwork();
const [program, ...args] = inNamespace(lab.agent.namespace, command);
const child = spawn(program, args, {
  stdio: 'inherit',
  env: { ...process.env, [labVariable]: JSON.stringify(lab) },
});

let asked = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    asked += 1;
    // First let the command end its own servers; a second signal is somebody in a hurry.
    child.kill(asked === 1 ? signal : 'SIGKILL');
  });
}
child.on('error', (error) => {
  removeLabNetwork(lab);
  console.error(`The command could not be started: ${error.message}`);
  process.exit(127);
});
child.on('exit', (code, signal) => {
  removeLabNetwork(lab);
  process.exit(code ?? (signal === 'SIGINT' ? 130 : 143));
});
