/**
 * Owns the REST surface of the emulated org under `/services/data/vNN.0/`: which resource a path names, and that every refusal is an answer in
 * Salesforce's shape (the Salesforce contract, section 3). Must never hold rules about records: those are in `records.ts` and `access.ts`.
 */
import { viewOf } from './access.ts';
import { collection, composite, graphs } from './composite.ts';
import { notFound, type Records, Refusal } from './records.ts';
import { errorBody, type RestCall, type RestResult } from './rest-call.ts';
import type { Rights } from './rights.ts';
import type { RowFaults } from './row-faults.ts';
import { sObjects } from './sobject-calls.ts';
import { type QueryContext, runSoql } from './soql.ts';
import { runSosl, type SearchLag } from './sosl.ts';

/** In whose name a request runs, and which records it fails at on command. */
export interface RestAsker {
  readonly user: { readonly id: string; readonly username: string };
  readonly rowFaults: RowFaults;
}

const dataPath = /^\/services\/data\/(v(\d{2})\.0)(\/.*)?$/;
const resources = ['sobjects', 'query', 'search', 'composite', 'limits'];

/** The REST surface over `records`. The answer never throws: every refusal is a result in Salesforce's shape. */
export function createRest(org: {
  readonly records: Records;
  readonly rights: Rights;
  readonly search: SearchLag;
  readonly usage: () => { used: number; limit: number };
}): (call: RestCall, asker: RestAsker) => RestResult {
  const { records } = org;
  const { schema } = records;

  return (outer, asker) => {
    const view = viewOf(records, org.rights, asker.user, asker.rowFaults);

    function answer(call: RestCall): RestResult {
      try {
        return route(call);
      } catch (error) {
        if (error instanceof Refusal) return { status: error.status, body: [errorBody(error)] };
        throw error;
      }
    }

    function route(call: RestCall): RestResult {
      const url = new URL(call.url, 'http://org.invalid');
      const query = url.searchParams;
      if (/^\/services\/data\/?$/.test(url.pathname))
        return { status: 200, body: [{ label: "Spring '26", url: '/services/data/v66.0', version: '66.0' }] };
      const match = dataPath.exec(url.pathname);
      const version = Number(match?.[2] ?? 0);
      if (!match || version < 50 || version > 67) throw notFound();
      const base = `/services/data/${match[1]}`;
      const context: QueryContext = { view, schema, base };
      const [head = '', ...rest] = (match[3] ?? '/').split('/').slice(1).map(decoded);
      if (head === 'sobjects') return sObjects(call, rest, query, context);
      if (head === 'composite') {
        if (rest[0] === 'sobjects') return collection(call, rest.slice(1), query, view);
        if (rest[0] === 'graph') return graphs(call, view, answer);
        if (rest.length === 0 || rest[0] === '') return composite(call, view, answer);
        throw notFound();
      }
      if (call.method !== 'GET') throw notFound();
      if (head === '')
        return { status: 200, body: Object.fromEntries(resources.map((name) => [name, `${base}/${name}`])) };
      if (head === 'limits') {
        const { used, limit } = org.usage();
        return { status: 200, body: { DailyApiRequests: { Max: limit, Remaining: Math.max(0, limit - used) } } };
      }
      if (head === 'query') return { status: 200, body: runSoql(context, query.get('q') ?? '') };
      if (head === 'search')
        return { status: 200, body: { searchRecords: runSosl(context, query.get('q') ?? '', org.search) } };
      throw notFound();
    }

    return answer(outer);
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
