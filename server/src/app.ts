/** The HTTP side, wired: what stands before every route, the routes, what stands behind them. Owns their order, nothing else. */
import express, { type Express } from 'express';
import helmet from 'helmet';
import { adminRoutes } from './http/admin.ts';
import { callRoutes } from './http/calls.ts';
import { credentialRoutes } from './http/credentials.ts';
import { errorHandler, notFound, tooMany } from './http/errors.ts';
import { healthRoutes } from './http/health.ts';
import { matchRoutes } from './http/matches.ts';
import { pairingCodeRoutes } from './http/pairing-codes.ts';
import { panelRoutes } from './http/panel-pages.ts';
import type { RelayParts } from './http/parts.ts';
import { profileRoutes } from './http/profile.ts';
import { sessionRoutes } from './http/sessions.ts';
import type { Panel } from './panel-assets.ts';

export function createApp(parts: RelayParts, panel: Panel | null): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', parts.config.trustProxy);

  app.use((request, response, next) => {
    const stop = parts.metrics.requests.startTimer();
    response.once('finish', () => {
      // The pattern, never the path: a label must not grow with what people ask for.
      const route = (request.route as { path?: unknown } | undefined)?.path;
      stop({
        method: request.method,
        route: typeof route === 'string' ? route : 'none',
        status: `${Math.floor(response.statusCode / 100)}xx`,
      });
    });
    next();
  });
  app.use(async (request, _response, next) => {
    if (!(await parts.limits.take('requests', request.ip ?? ''))) {
      parts.metrics.refused.inc({ why: 'requests' });
      throw tooMany(60_000);
    }
    next();
  });

  // Pages first: they are framed and carry a policy of their own.
  app.use(panelRoutes(parts, panel));
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
      },
      crossOriginEmbedderPolicy: false,
      crossOriginOpenerPolicy: { policy: 'same-origin' },
      crossOriginResourcePolicy: { policy: 'same-origin' },
      originAgentCluster: true,
      referrerPolicy: { policy: 'no-referrer' },
      strictTransportSecurity: parts.config.publicUrl?.startsWith('https:')
        ? { maxAge: 31_536_000, includeSubDomains: false }
        : false,
      xContentTypeOptions: true,
      xDnsPrefetchControl: { allow: false },
      xDownloadOptions: false,
      xFrameOptions: { action: 'deny' },
      xPermittedCrossDomainPolicies: { permittedPolicies: 'none' },
      xPoweredBy: false,
      xXssProtection: true,
    }),
  );
  app.use((_request, response, next) => {
    response.set('cache-control', 'no-store');
    next();
  });
  app.use(healthRoutes(parts));
  app.use(sessionRoutes(parts));
  app.use(pairingCodeRoutes(parts));
  app.use(profileRoutes(parts));
  app.use(credentialRoutes(parts));
  app.use(matchRoutes(parts));
  app.use(callRoutes(parts));
  app.use(adminRoutes(parts));
  app.use(notFound(parts.limits));
  app.use(errorHandler(parts.log));
  return app;
}
