/**
 * Which parts of sip.js the phone does without, and what stands in for one of them. An esbuild plugin: the panel is built with it, and so is the
 * page of the browser tests, so that what is tested is what ships. Must never change what sip.js does.
 */
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

const ourGrammar = fileURLToPath(new URL('../packages/phone-engine/src/sip/grammar/grammar.ts', import.meta.url));

/**
 * sip.js' user agent imports its own transport and media handling as defaults, and what asks for requests that the phone never sends (PUBLISH,
 * MESSAGE), and its sign-in. The engine always brings its own of these, so that all of it would only be carried and never run; what stands in for it
 * says so if it ever were. Its log is never shown, since it holds what is secret. Its grammar is replaced by a shorter one.
 */
export const sipJsParts: Plugin = {
  name: 'sip-js-parts',
  setup(bundler) {
    bundler.onResolve(
      {
        filter:
          /platform\/web\/|user-agents\/(publish|message)-user-agent-client\.js$|messages\/digest-authentication\.js$/,
      },
      ({ path, importer }) =>
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
    bundler.onLoad({ filter: /.*/, namespace: 'unused-sip-js' }, () => ({
      contents: `const unused = () => { throw new Error("The phone does without this part of sip.js."); };
        export class Transport { constructor() { unused(); } }
        export const defaultSessionDescriptionHandlerFactory = () => unused;
        export { Transport as PublishUserAgentClient, Transport as MessageUserAgentClient, Transport as DigestAuthentication };`,
    }));
  },
};
