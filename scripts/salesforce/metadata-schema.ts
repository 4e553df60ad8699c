/**
 * Which elements a Salesforce metadata file may have, read from the type declarations that Salesforce generates from its own WSDL
 * (`@salesforce/types`). Owns the reading only; knows no rule that does not stand there.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import ts from 'typescript';

export interface MetadataField {
  readonly repeatable: boolean;
  readonly required: boolean;
  /** `string`, `number`, `boolean`, or the name of another type. */
  readonly type: string;
}

export interface MetadataSchema {
  /** Elements of a complex type; undefined when the name is none. */
  fieldsOf(type: string): ReadonlyMap<string, MetadataField> | undefined;
  /** Values of an enumeration; undefined when the name is none. */
  valuesOf(type: string): ReadonlySet<string> | undefined;
}

/**
 * Reads the official declarations. Takes about a third of a second.
 * @throws Error when the package's layout is not the known one
 */
export function readMetadataSchema(): MetadataSchema {
  const file = createRequire(import.meta.url)
    .resolve('@salesforce/types/metadata')
    .replace(/\.js$/, '.d.ts');
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const declared = new Map<string, ts.TypeNode>();
  for (const statement of source.statements)
    if (ts.isTypeAliasDeclaration(statement)) declared.set(statement.name.text, statement.type);
  if (!declared.has('CustomObject')) throw new Error(`${file} does not declare CustomObject: its layout has changed.`);

  const fields = new Map<string, ReadonlyMap<string, MetadataField>>();
  const values = new Map<string, ReadonlySet<string>>();

  function fieldsOf(type: string): ReadonlyMap<string, MetadataField> | undefined {
    const known = fields.get(type);
    if (known !== undefined) return known;
    const node = declared.get(type);
    const read = node === undefined ? undefined : fieldsIn(node);
    if (read !== undefined) fields.set(type, read);
    return read;
  }

  function fieldsIn(node: ts.TypeNode): ReadonlyMap<string, MetadataField> | undefined {
    if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName)) return fieldsOf(node.typeName.text);
    if (ts.isTypeLiteralNode(node)) return new Map(node.members.flatMap((member) => fieldIn(member)));
    if (!ts.isIntersectionTypeNode(node)) return undefined;
    const all = new Map<string, MetadataField>();
    for (const part of node.types) for (const [name, field] of fieldsIn(part) ?? []) all.set(name, field);
    return all;
  }

  function fieldIn(member: ts.TypeElement): [string, MetadataField][] {
    if (!ts.isPropertySignature(member) || member.type === undefined || !ts.isIdentifier(member.name)) return [];
    const repeatable = ts.isArrayTypeNode(member.type);
    const node = ts.isArrayTypeNode(member.type) ? member.type.elementType : member.type;
    const required = !repeatable && member.questionToken === undefined;
    return [[member.name.text, { repeatable, required, type: nameOf(node) }]];
  }

  function valuesOf(type: string): ReadonlySet<string> | undefined {
    const known = values.get(type);
    if (known !== undefined) return known;
    const node = declared.get(type);
    if (node === undefined) return undefined;
    const literals = (ts.isUnionTypeNode(node) ? node.types : [node]).flatMap((part) =>
      ts.isLiteralTypeNode(part) && ts.isStringLiteral(part.literal) ? [part.literal.text] : [],
    );
    if (literals.length === 0) return undefined;
    values.set(type, new Set(literals));
    return values.get(type);
  }

  return { fieldsOf, valuesOf };
}

function nameOf(node: ts.TypeNode): string {
  if (node.kind === ts.SyntaxKind.NumberKeyword) return 'number';
  if (node.kind === ts.SyntaxKind.BooleanKeyword) return 'boolean';
  if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName) && node.typeName.text !== 'Date')
    return node.typeName.text;
  return 'string';
}
