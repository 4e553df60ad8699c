/**
 * Short names for what sip.js calls its members in many words, and for what the engine and the panel's model call their methods. A bundler can't know
 * that nobody else says them; here the whole panel is looked through. A name gets a short one only when sip.js declares it as a member of a class and
 * only it and the engine's SIP folder say it, or when the engine and the model have methods of that name, never a field, and only they and sip.js say it;
 * when it is in no string (where it could be a key, or go over the wire) and when the platform has no such name. Must never touch what leaves the page.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** For esbuild: which names, and what each becomes, in every script of the panel the same. */
export interface ShortNames {
  readonly mangleProps: RegExp;
  readonly mangleCache: Readonly<Record<string, string>>;
}

/** The bundler itself asks for it by its name. */
const kept = new Set(['logger']);
const itself = /\/sip\.js\/lib\//;
const comments = /\/\*[\s\S]*?\*\/|\/\/.*/g;
const knowsIt = /\/sip\.js\/lib\/|\/phone-engine\/src\/sip\//;
const ours = /\/(?:phone-engine|softphone-ui)\/src\//;

/** Finds them. @param files every source file that is in the panel or in one of its parts, by absolute path */
export function shortNames(files: readonly string[]): ShortNames {
  const times = new Map<string, number>();
  const members = new Set<string>();
  const taken = new Set([...kept, ...platformNames()]);
  const said = new Set<string>();
  /** Of the engine and the model: what is called, and what may hold something that is stored or sent. */
  const methods = new Set<string>();
  const fields = new Set<string>();
  /** Said outside the SIP folder, but by nobody else than the engine and the model. */
  const aside = new Set<string>();
  for (const path of files) {
    const mine = knowsIt.test(path);
    const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
    const look = (node: ts.Node): void => {
      for (const word of wordsIn(node)) taken.add(word);
      if (ts.isIdentifier(node) && isProperty(node)) {
        said.add(node.text);
        if (!mine) (ours.test(path) ? aside : taken).add(node.text);
        if (ours.test(path)) {
          if (isMethod(node.parent)) methods.add(node.text);
          else if (isField(node.parent)) fields.add(node.text);
        }
        times.set(node.text, (times.get(node.text) ?? 0) + 1);
        if (itself.test(path) && isMember(node)) members.add(node.text);
      }
      ts.forEachChild(node, look);
    };
    look(file);
  }
  const ourOwn = [...methods].filter((name) => !fields.has(name));
  const long = [...new Set([...[...members].filter((name) => !aside.has(name)), ...ourOwn])].filter(
    (name) => name.length > 2 && !taken.has(name),
  );
  if (long.length === 0) throw new Error('sip.js has no name left to shorten: see scripts/short-names.ts.');
  long.sort((a, b) => (times.get(b) ?? 0) - (times.get(a) ?? 0) || (a < b ? -1 : 1));
  const free = freeNames((name) => !said.has(name) && !taken.has(name));
  return {
    mangleProps: new RegExp(`^(?:${long.map((name) => name.replaceAll('$', '\\$')).join('|')})$`),
    mangleCache: Object.fromEntries(long.map((name) => [name, free.next().value ?? name])),
  };
}

/** Every word that TypeScript's own descriptions of browsers and of the language have: nobody of the panel's may be taken for one of theirs. */
function platformNames(): Set<string> {
  const folder = dirname(createRequire(import.meta.url).resolve('typescript'));
  const names = new Set<string>();
  for (const name of readdirSync(folder).filter((entry) => /^lib\..*\.d\.ts$/.test(entry)))
    for (const [word] of readFileSync(join(folder, name), 'utf8')
      .replaceAll(comments, '')
      .matchAll(/[\w$]+/g))
      names.add(word);
  return names;
}

function wordsIn(node: ts.Node): readonly string[] {
  const isText =
    ts.isStringLiteralLike(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddleOrTemplateTail(node) ||
    ts.isRegularExpressionLiteral(node) ||
    ts.isJsxText(node);
  return isText ? (node.text.match(/[\w$]+/g) ?? []) : [];
}

function isProperty(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node || parent.name === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  const named =
    ts.isPropertyAccessExpression(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isClassElement(parent) ||
    ts.isTypeElement(parent) ||
    ts.isJsxAttribute(parent);
  return named && parent.name === node;
}

/** Declared in a class, by a method, an accessor or `this.name = …`. */
function isMember({ parent }: ts.Identifier): boolean {
  if (ts.isClassElement(parent)) return true;
  return (
    ts.isPropertyAccessExpression(parent) &&
    parent.expression.kind === ts.SyntaxKind.ThisKeyword &&
    ts.isBinaryExpression(parent.parent) &&
    parent.parent.left === parent &&
    parent.parent.operatorToken.kind === ts.SyntaxKind.EqualsToken
  );
}

function isMethod(parent: ts.Node): boolean {
  if (ts.isPropertySignature(parent)) return parent.type !== undefined && ts.isFunctionTypeNode(parent.type);
  return ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent) || ts.isGetAccessor(parent);
}

/** Declares something that is more than a function: a field of a record, a prop. */
function isField(parent: ts.Node): boolean {
  if (ts.isPropertySignature(parent)) return !parent.type || !ts.isFunctionTypeNode(parent.type);
  if (ts.isPropertyAssignment(parent)) return !isFunction(parent.initializer);
  return ts.isPropertyDeclaration(parent) || ts.isJsxAttribute(parent);
}

function isFunction(node: ts.Expression): boolean {
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node);
}

function* freeNames(isFree: (name: string) => boolean): Generator<string, undefined> {
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  for (const one of letters) if (isFree(one)) yield one;
  for (const one of letters) for (const other of letters) if (isFree(one + other)) yield one + other;
  return undefined;
}
