/** The layer rule of docs/architecture.md, one rule a line, each saying what to do about a violation. */
const rule = (name, comment, from, to) => ({ name, severity: 'error', comment, from, to });

export default {
  forbidden: [
    rule('no-cycles', 'Break the cycle: move what both need into the one that needs less.', {}, { circular: true }),
    rule(
      'protocol-imports-nothing',
      'call-protocol is the shared language: it may import valibot and nothing else.',
      { path: '^packages/call-protocol/' },
      { pathNot: '^(packages/call-protocol/|node_modules/valibot/)' },
    ),
    rule(
      'engine-imports-protocol-only',
      'The engine knows no CRM, no HTTP, no framework. Bring what it needs in through a port.',
      { path: '^packages/phone-engine/' },
      { pathNot: '^(packages/(phone-engine|call-protocol)/|node_modules/(sip\\.js|vitest|@sapphi-red)/)' },
    ),
    rule(
      'rules-are-pure',
      'state, transition (with its call-* parts) and selectors import only call-protocol and each other.',
      { path: '^packages/phone-engine/src/(state|transition|selectors|call-[a-z]+)\\.ts$' },
      { pathNot: '^packages/(call-protocol/|phone-engine/src/(state|transition|selectors|call-[a-z]+)\\.ts$)' },
    ),
    rule(
      'sip-js-has-one-home',
      'sip.js stays behind SipPort: use the port.',
      { path: '^(packages|server)/', pathNot: '^packages/phone-engine/src/sip/' },
      { path: 'node_modules/sip\\.js/' },
    ),
    rule(
      'preact-has-one-home',
      'Only the panel draws.',
      { path: '^(packages|server)/', pathNot: '^packages/softphone-ui/' },
      { path: 'node_modules/(preact|@preact)/' },
    ),
    rule(
      'express-has-one-home',
      'HTTP stays in server/src/app.ts and server/src/http/.',
      { path: '^(packages|server)/', pathNot: '^server/src/(app\\.ts|http/)' },
      { path: 'node_modules/express/' },
    ),
    rule(
      'one-crm-never-imports-another',
      'Shared matters go into the adapters’ contract or number-match.',
      { path: '^packages/crm-adapters/src/(salesforce|hubspot|page|memory)/' },
      {
        path: '^packages/crm-adapters/src/(salesforce|hubspot|page|memory)/',
        pathNot: '^packages/crm-adapters/src/$1/',
      },
    ),
    rule(
      'crm-sdk-in-its-folder',
      'A CRM SDK is imported only in that CRM’s folder.',
      { path: '^(packages|server)/', pathNot: '^packages/crm-adapters/src/(salesforce|hubspot)/' },
      { path: 'node_modules/(jsforce|@hubspot)/' },
    ),
    rule(
      'panel-half-never-imports-relay-half',
      'The relay half brings node code and megabytes into the panel.',
      { path: '^packages/crm-adapters/src/(panel|panel-contract|[a-z]+/panel)\\.ts$' },
      {
        path: '(^packages/crm-adapters/src/(relay|number-match|[a-z]+/(relay|identity))\\.ts$|node_modules/(jsforce|jose|libphonenumber-js)/)',
      },
    ),
    rule(
      'adapters-import-protocol-only',
      'Adapters speak call-protocol.',
      { path: '^packages/crm-adapters/' },
      { path: '^(packages/(?!crm-adapters|call-protocol)|server/|sandbox/|test/)' },
    ),
    rule(
      'panel-imports-no-relay',
      'The panel meets the relay over HTTP only.',
      { path: '^packages/softphone-ui/' },
      { path: '^(server/|sandbox/|test/|packages/crm-adapters/src/.*relay\\.ts$)' },
    ),
    rule(
      'server-imports-protocol-and-relay-halves',
      'The relay knows the shared language and the relay halves, nothing of the panel.',
      { path: '^server/' },
      { path: '^(packages/(phone-engine|softphone-ui)|sandbox/|test/|packages/crm-adapters/src/.*panel\\.ts$)' },
    ),
    rule(
      'sandbox-imports-protocol-only',
      'The sandbox stands outside, as the CRMs and the PBX do.',
      { path: '^sandbox/' },
      { path: '^(packages/(?!call-protocol)|server/|test/)' },
    ),
    rule(
      'nobody-imports-tests',
      'Tests and sandbox are leaves; only scripts start them.',
      { path: '^(packages|server)/' },
      { path: '^(test|sandbox|scripts)/' },
    ),
    rule(
      'no-deep-imports',
      'Import a package by its name, not by a path into it.',
      { path: '^(packages/([^/]+)|server|sandbox)/' },
      {
        path: '^(packages/([^/]+)|server)/src/(?!index\\.ts$|panel\\.ts$|relay\\.ts$|sip/index|audio/index|testing/)',
        pathNot: '^$1/',
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'browser', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.mjs'],
    },
  },
};
