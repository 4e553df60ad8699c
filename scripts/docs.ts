/** `npm run docs`: writes the documents that are generated from code. `npm run check` fails when a committed one differs. */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { eventSchemas } from '@patchcord/call-protocol';
import { asvsDocument } from './asvs.ts';

/** File → text, for every generated document. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/events.md', eventsDocument()],
    ['docs/security/asvs.md', asvsDocument()],
  ]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [file, text] of generatedDocs()) {
    writeFileSync(file, text);
    console.log(file);
  }
}

function eventsDocument(): string {
  const rows = Object.entries(eventSchemas).map(([name, schema]) => {
    const data = Object.entries(schema.entries).map(
      ([key, entry]) => `\`${key}${isOptional(entry) ? '?' : ''}\` ${describe(entry)}`,
    );
    return `| \`${name}\` | \`dev.patchcord.${name}.v1\` | ${data.length === 0 ? '–' : data.join('; ')} |`;
  });
  return [
    '# Events',
    '',
    'Generated from `packages/call-protocol/src/events.ts` by `npm run docs`.',
    '',
    'On the wire an event is a CloudEvent 1.0 in structured JSON mode: `subject` is the call id, `id` is `<callId>:<n>`, and `source` with',
    '`id` makes a replay harmless. Webhooks carry the same JSON, signed by the Standard Webhooks scheme.',
    '',
    '| event | `type` | `data` |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

interface SchemaLike {
  readonly type: string;
  readonly wrapped?: SchemaLike;
  readonly item?: SchemaLike;
  readonly options?: readonly unknown[];
  readonly entries?: Record<string, SchemaLike>;
}

function isOptional(schema: SchemaLike): boolean {
  return schema.type === 'optional';
}

function describe(schema: SchemaLike): string {
  if (schema.wrapped !== undefined) return describe(schema.wrapped);
  if (schema.type === 'picklist') return (schema.options ?? []).map((option) => `"${String(option)}"`).join(' or ');
  if (schema.type === 'array') return `list of ${schema.item === undefined ? 'values' : describe(schema.item)}`;
  if (schema.entries !== undefined)
    return `{ ${Object.entries(schema.entries)
      .map(([key, entry]) => `${key}${isOptional(entry) ? '?' : ''}`)
      .join(', ')} }`;
  return schema.type;
}
