/**
 * Which parts of sip.js the phone does without, and what stands in for one of them. An esbuild plugin: the panel is built with it, and so is the
 * page of the browser tests, so that what is tested is what ships. Must never change what sip.js does.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import ts from 'typescript';

const ourGrammar = fileURLToPath(new URL('../packages/phone-engine/src/sip/grammar/grammar.ts', import.meta.url));

const unused = 'throw new Error("The phone does without this part of sip.js.");';
/** Some reach the agent as the reason of a call that could not be made. */
const words = '"This is not possible now."';

/**
 * Whole modules: its own transport and media handling, which it imports as defaults; what asks for requests that the phone never sends (PUBLISH,
 * MESSAGE) or takes (MESSAGE, REGISTER, SUBSCRIBE are not among its allowed methods); subscriptions and sign-in, which the engine has its own of.
 */
const modules =
  /platform\/web\/|user-agents\/((publish|message|subscribe)-user-agent-client|(message|register|subscribe|prack)-user-agent-server|(message|notify)-user-agent-client)\.js$|messages\/digest-authentication\.js$|\/message\.js$/;

/** Methods that nothing in the phone calls, by module. Each keeps its name and throws. */
const methods: Readonly<Record<string, readonly string[]>> = {
  'api/session.js': [
    ...['message', 'refer', '_message', '_refer', 'referExtraHeaders', 'referToString'],
    // PRACK goes to the call before sip.js sees it; MESSAGE is refused as a method.
    ...['onMessageRequest', 'onPrackRequest'],
    'setSessionDescriptionHandler',
  ],
  'api/invitation.js': [
    // A 180 that has to be acknowledged is the engine's own (reliable-ringing.ts), and there is no other provisional response.
    ...['handlePrackOfferAnswer', 'sendProgressWithSDP', 'sendProgressReliable', 'sendProgressReliableWaitForPrack'],
    ...['sendProgressTrying', 'waitForArrivalOfPrack', 'prackArrived'],
  ],
  // The line brings a connection back by itself.
  'api/user-agent.js': ['reconnect', 'attemptReconnection', '_makeInviter'],
  'api/referral.js': ['makeInviter'],
  'core/user-agent-core/user-agent-core.js': ['message', 'publish', 'subscribe'],
  'core/dialogs/session-dialog.js': ['message', 'notify'],
};

/** What the engine never asks for, and what is then always so; a test holds the engine to it. */
export const settled: ReadonlyMap<string, string> = new Map(
  Object.entries({
    gracefulShutdown: 'false',
    withoutSdp: 'false',
    inviteWithoutSdp: 'false',
    renderbody: 'undefined',
    _renderbody: 'undefined',
    waitingForPrack: 'false',
    _referred: 'undefined',
    earlyMedia: 'false',
    earlyMediaDialog: 'undefined',
    anonymous: 'false',
    sessionDescriptionHandlerModifiers: 'undefined',
    sessionDescriptionHandlerOptions: 'undefined',
    sessionDescriptionHandlerModifiersReInvite: 'undefined',
    sessionDescriptionHandlerOptionsReInvite: 'undefined',
    onSessionDescriptionHandler: 'undefined',
  }),
);

/** What a phone answers with by a number alone; any other it would say without words (RFC 3261 section 25.1 lets it). */
const answers = new Set(
  '100 180 183 200 202 302 400 403 404 405 408 415 416 420 421 422 480 481 482 483 486 487 488 489 491 500 501 503 504 600 603 606'.split(
    ' ',
  ),
);

const logs = new Set(['debug', 'log', 'warn', 'error']);

/** sip.js without its sentences: its log is never shown, since it holds what is secret, and its errors are told in the phone's own words. */
function trimmed(source: string, never: readonly string[]): string {
  const file = ts.createSourceFile('sip.js', source, ts.ScriptTarget.ES2022, true);
  const cuts: { readonly from: number; readonly to: number; readonly by: string }[] = [];
  const left = new Set(never);
  const cut = (node: ts.Node, by: string) => cuts.push({ from: node.getStart(file), to: node.end, by });
  const look = (node: ts.Node): void => {
    if (ts.isMethodDeclaration(node) && node.body && left.delete(node.name.getText(file)))
      return void cut(node.body, `{ ${unused} }`);
    if (ts.isExpressionStatement(node) && isLog(node.expression, file)) return void cut(node, ';');
    if (ts.isNewExpression(node) && /^(Type)?Error$/.test(node.expression.getText(file))) {
      const [text] = node.arguments ?? [];
      if (text && (ts.isStringLiteral(text) || ts.isTemplateExpression(text))) return void cut(text, words);
    }
    if (ts.isVariableDeclaration(node) && node.name.getText(file) === 'REASON_PHRASE' && node.initializer)
      return void cut(node.initializer, phrases(node.initializer, file));
    const always = ts.isPropertyAccessExpression(node) && !isTarget(node) ? settled.get(node.name.text) : undefined;
    if (always !== undefined) return void cut(node, always);
    ts.forEachChild(node, look);
  };
  look(file);
  if (left.size > 0) throw new Error(`sip.js has no method ${[...left].join(', ')} any more: scripts/sip-js-parts.ts.`);
  return cuts.reduceRight((text, { from, to, by }) => text.slice(0, from) + by + text.slice(to), source);
}

function phrases(table: ts.Expression, file: ts.SourceFile): string {
  const all = ts.isObjectLiteralExpression(table) ? table.properties : [];
  const kept = all.filter(({ name }) => name && answers.has(name.getText(file)));
  if (kept.length !== answers.size)
    throw new Error("sip.js's table of phrases is another one: scripts/sip-js-parts.ts.");
  return `{ ${kept.map((phrase) => phrase.getText(file)).join(', ')} }`;
}

/** Something is assigned to it. */
function isTarget(node: ts.Node): boolean {
  const { parent } = node;
  return (
    ts.isBinaryExpression(parent) && parent.left === node && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken
  );
}

function isLog(call: ts.Expression, file: ts.SourceFile): boolean {
  if (!ts.isCallExpression(call) || !ts.isPropertyAccessExpression(call.expression)) return false;
  const { name, expression } = call.expression;
  return logs.has(name.text) && /(^|\.)logger$/.test(expression.getText(file));
}

/**
 * The engine brings its own of much that sip.js has, so that it would only be carried and never run; what stands in for it says so if it ever were.
 * Its grammar is replaced by a shorter one.
 */
export const sipJsParts: Plugin = {
  name: 'sip-js-parts',
  setup(bundler) {
    bundler.onResolve({ filter: modules }, ({ path, importer }) =>
      /node_modules\/sip\.js\/lib\/(api|core)\//.test(importer) ? { path, namespace: 'unused-sip-js' } : undefined,
    );
    bundler.onResolve({ filter: /\/pegjs\/dist\/grammar\.js$/ }, ({ importer }) =>
      /node_modules\/sip\.js\/lib\/grammar\//.test(importer) ? { path: ourGrammar } : undefined,
    );
    bundler.onResolve({ filter: /\/logger-factory\.js$/ }, ({ path, importer }) =>
      /node_modules\/sip\.js\/lib\//.test(importer) ? { path, namespace: 'quiet-sip-js' } : undefined,
    );
    bundler.onLoad({ filter: /.*/, namespace: 'quiet-sip-js' }, () => ({
      contents: `export class LoggerFactory {
        getLogger() { return this; }
        error() {} warn() {} log() {} debug() {}
      }`,
    }));
    bundler.onLoad({ filter: /.*/, namespace: 'unused-sip-js' }, ({ path }) => ({
      contents: standIn(path),
    }));
    bundler.onLoad({ filter: /node_modules\/sip\.js\/lib\/(api|core)\/.*\.js$/ }, async ({ path }) => ({
      contents: trimmed(await readFile(path, 'utf8'), methods[path.replace(/^.*\/sip\.js\/lib\//, '')] ?? []),
    }));
  },
};

/** A module that exports what the one at `path` does, and throws when any of it is made use of. */
function standIn(path: string): string {
  if (/-factory-default\.js$/.test(path))
    return `export const defaultSessionDescriptionHandlerFactory = () => () => { ${unused} };`;
  const name = (/([\w-]+)\.js$/.exec(path)?.[1] ?? '').replaceAll(/(?:^|-)(\w)/g, (_, letter: string) =>
    letter.toUpperCase(),
  );
  return `export class ${name} { constructor() { ${unused} } }`;
}
