/**
 * What the relay serves, read off its routers: so that a check of access can walk every route there is, and a method that a route does not
 * have is told from a page that is not there. Owns reading express; must never decide who may pass.
 */
import type { Express, RequestHandler, Router } from 'express';

/** One route as it is registered: `POST /v1/sessions`, `GET /assets/:name`. */
export interface RouteAddress {
  readonly method: string;
  readonly path: string;
}

interface Layer {
  readonly route?: { readonly path: string | readonly string[]; readonly methods: Readonly<Record<string, boolean>> };
  readonly handle: RequestHandler & { readonly stack?: readonly Layer[] };
}

/** Every route of an app, those of routers inside it included. Routers are mounted without a path here, so a path is whole. */
export function routesOf(app: Express | Router): readonly RouteAddress[] {
  const { stack } =
    'router' in app ? (app.router as unknown as { stack: readonly Layer[] }) : (app as { stack: unknown[] });
  return (stack as readonly Layer[]).flatMap(({ route, handle }): readonly RouteAddress[] => {
    if (route !== undefined) {
      const methods = Object.keys(route.methods).filter((method) => route.methods[method]);
      return [route.path].flat().flatMap((path) => methods.map((method) => ({ method: method.toUpperCase(), path })));
    }
    return handle.stack === undefined ? [] : routesOf(handle as unknown as Router);
  });
}

/** The methods a path answers to; empty when there is no such path. */
export function methodsAt(routes: readonly RouteAddress[], path: string): readonly string[] {
  const methods = routes.filter((route) => matches(route.path, path)).map(({ method }) => method);
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return wanted.length === given.length && wanted.every((part, index) => part.startsWith(':') || part === given[index]);
}
