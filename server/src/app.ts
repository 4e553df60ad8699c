/** The HTTP side, wired: what stands before every route, the routes, what stands behind them. Owns their order, nothing else. */
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import helmet, { type HelmetOptions } from 'helmet';
import { adminRoutes } from './http/admin.ts';
import { alertRoutes } from './http/alerts.ts';
import { auditRoutes } from './http/audit.ts';
import { callEventRoutes } from './http/call-events.ts';
import { callRecordRoutes } from './http/call-records.ts';
import { callRoutes } from './http/calls.ts';
import { credentialRoutes } from './http/credentials.ts';
import { deviceRoutes } from './http/devices.ts';
import { dialWishRoutes } from './http/dial-wishes.ts';
import { errorHandler, notFound, tooMany } from './http/errors.ts';
import { methodNotAllowed, ownPagesOnly, shortAddress } from './http/fence.ts';
import { freeswitchRoutes } from './http/freeswitch-directory.ts';
import { healthRoutes } from './http/health.ts';
import { hubSpotCardRoutes } from './http/hubspot-card.ts';
import { hubSpotRecordingRoutes } from './http/hubspot-recordings.ts';
import { hubSpotSettingsRoutes } from './http/hubspot-settings.ts';
import { hubSpotWebhookRoutes } from './http/hubspot-webhooks.ts';
import { hubSpotWorkflowRoutes } from './http/hubspot-workflow.ts';
import { jambonzRoutes } from './http/jambonz.ts';
import { listeningRoutes } from './http/listening.ts';
import { liveEventRoutes } from './http/live-events.ts';
import { logCreatorRoutes } from './http/log-creator.ts';
import { matchRoutes } from './http/matches.ts';
import { mayCallRoutes } from './http/may-call.ts';
import { pairingCodeRoutes } from './http/pairing-codes.ts';
import { panelRoutes } from './http/panel-pages.ts';
import type { RelayParts } from './http/parts.ts';
import { bodyInTime } from './http/patience.ts';
import { profileRoutes } from './http/profile.ts';
import { isUpload, recordingRoutes } from './http/recordings.ts';
import { recoveryRoutes } from './http/recovery.ts';
import { relatedRecordRoutes } from './http/related-records.ts';
import { routesOf } from './http/routes.ts';
import { sessionRoutes } from './http/sessions.ts';
import { signInRoutes } from './http/sign-in.ts';
import { toCallRoutes } from './http/to-call.ts';
import { unloggedRoutes } from './http/unlogged.ts';
import { isVoicemailUpload, voicemailRoutes } from './http/voicemails.ts';
import type { Panel } from './panel-assets.ts';

/** The headers of every answer: what helmet makes of these options, worked out once, and `no-store`. */
function sameHeaders(options: HelmetOptions): RequestHandler {
  const headers = new Map<string, string>([['Cache-Control', 'no-store']]);
  const answer = {
    setHeader: (name: string, value: string) => headers.set(name, value),
    removeHeader: (name: string) => headers.delete(name),
  };
  helmet(options)({} as Request, answer as unknown as Response, (error?: unknown) => {
    if (error !== undefined) throw error;
  });
  return (_request, response, next) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    next();
  };
}

export function createApp(parts: RelayParts, panel: Panel | null): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', parts.config.trustProxy);

  // Before anything that may refuse: an answer without these headers does not exist.
  app.use(
    sameHeaders({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          frameAncestors: ["'none'"],
          baseUri: ["'none'"],
          formAction: ["'none'"],
          objectSrc: ["'none'"],
        },
      },
      crossOriginEmbedderPolicy: false,
      crossOriginOpenerPolicy: { policy: 'same-origin' },
      crossOriginResourcePolicy: { policy: 'same-origin' },
      originAgentCluster: true,
      referrerPolicy: { policy: 'no-referrer' },
      strictTransportSecurity: parts.config.publicUrl?.startsWith('https:')
        ? { maxAge: 31_536_000, includeSubDomains: true }
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

  app.use(
    shortAddress,
    ownPagesOnly(parts.origins),
    bodyInTime((method, path) => isUpload(method, path) || isVoicemailUpload(method, path)),
  );

  // Framed pages: they take the policy above off and carry one of their own.
  app.use(panelRoutes(parts, panel));
  app.use(healthRoutes(parts));
  app.use(sessionRoutes(parts));
  app.use(signInRoutes(parts));
  app.use(deviceRoutes(parts));
  app.use(pairingCodeRoutes(parts));
  app.use(profileRoutes(parts));
  app.use(credentialRoutes(parts));
  app.use(freeswitchRoutes(parts));
  app.use(jambonzRoutes(parts));
  app.use(matchRoutes(parts));
  app.use(relatedRecordRoutes(parts));
  app.use(mayCallRoutes(parts));
  app.use(callRoutes(parts));
  app.use(logCreatorRoutes(parts));
  app.use(callRecordRoutes(parts));
  app.use(hubSpotWebhookRoutes(parts));
  app.use(hubSpotCardRoutes(parts));
  app.use(hubSpotSettingsRoutes(parts));
  app.use(hubSpotWorkflowRoutes(parts));
  app.use(recordingRoutes(parts));
  app.use(listeningRoutes(parts));
  app.use(hubSpotRecordingRoutes(parts));
  app.use(voicemailRoutes(parts));
  app.use(toCallRoutes(parts));
  app.use(dialWishRoutes(parts));
  app.use(unloggedRoutes(parts));
  app.use(callEventRoutes(parts));
  app.use(liveEventRoutes(parts));
  app.use(adminRoutes(parts));
  app.use(alertRoutes(parts));
  app.use(auditRoutes(parts));
  app.use(recoveryRoutes(parts));
  const routes = routesOf(app);
  app.use(methodNotAllowed(routes));
  app.use(notFound(parts.limits));
  app.use(errorHandler(parts.log));
  return app;
}
