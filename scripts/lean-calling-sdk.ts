/**
 * HubSpot's calling SDK without what a phone never says: it sends every message by `sendMessage`, and hosts no frame itself. An esbuild plugin. Must never
 * change how a message is sent, taken or answered.
 */
import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';
import ts from 'typescript';

const never = new Set([
  ...[
    'initialized',
    'userAvailable',
    'userUnavailable',
    'userLoggedIn',
    'userLoggedOut',
    'incomingCall',
    'outgoingCall',
  ],
  ...['callAnswered', 'callTransferred', 'navigateToRecord', 'callData', 'callEnded', 'callCompleted', 'sendError'],
  ...['resizeWidget', 'publishToChannel', 'finalizeEngagement', 'setWidgetUrl'],
  ...['createIFrame', 'updateIFrameSize', 'formatSize', 'sendSync'],
]);
const unused = '{ throw new Error("The phone does without this part of the calling SDK."); }';

export const leanCallingSdk: Plugin = {
  name: 'lean-calling-sdk',
  setup(bundler) {
    bundler.onLoad({ filter: /calling-extensions-sdk\/dist\/main\.esm\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const file = ts.createSourceFile(path, source, ts.ScriptTarget.ES2022, true);
      const cuts: { readonly from: number; readonly to: number; readonly by: string }[] = [];
      const left = new Set(never);
      const look = (node: ts.Node): void => {
        if (ts.isMethodDeclaration(node) && node.body && left.delete(node.name.getText(file)))
          cuts.push({ from: node.body.getStart(file), to: node.body.end, by: unused });
        else ts.forEachChild(node, look);
      };
      look(file);
      // Its constants, made ready for export: nothing asks for them, and they would keep all names of all states.
      for (const statement of file.statements)
        if (/^e\.r\(\w\),e\.d\(\w,\{[^}]*\}\);$/.test(statement.getText(file)))
          cuts.push({ from: statement.getStart(file), to: statement.end, by: '' });
      cuts.sort((a, b) => a.from - b.from);
      if (left.size > 0 || cuts.length !== never.size + 1)
        throw new Error(
          `HubSpot's calling SDK is no longer what it was (${[...left].join(', ')}): see ${import.meta.url}.`,
        );
      return {
        contents: cuts.reduceRight((text, { from, to, by }) => text.slice(0, from) + by + text.slice(to), source),
      };
    });
  },
};
