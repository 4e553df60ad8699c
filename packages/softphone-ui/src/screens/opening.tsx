/** Before the phone works: opening, outside its host, halted, and signing in. */
import { Mark } from '../icon.tsx';
import type { Panel, Stage } from '../panel.ts';
import { CodeForm } from '../parts/code-form.tsx';
import { SelfTestDoor } from '../parts/self-test-door.tsx';
import { texts } from '../texts.ts';

const steps = {
  host: texts.openingHost,
  identity: texts.openingIdentity,
  profile: texts.openingProfile,
  phone: texts.openingPhone,
} as const;

export function Opening({
  panel,
  stage,
  reload,
}: {
  readonly panel: Panel;
  readonly stage: Exclude<Stage, { kind: 'ready' }>;
  readonly reload: () => void;
}) {
  switch (stage.kind) {
    case 'opening':
      return (
        <div class="stage" role="status">
          <span class="stage-mark is-moving">
            <Mark size={56} />
          </span>
          <h1 class="unseen">{texts.product}</h1>
          <p class="stage-line">{steps[stage.step]}</p>
          {stage.problem !== null && (
            <>
              <p class="stage-problem">
                {stage.problem} {texts.retrying}
              </p>
              <SelfTestDoor panel={panel} />
            </>
          )}
        </div>
      );
    case 'code':
      return (
        <div class="stage stage-code">
          <span class="stage-mark">
            <Mark size={40} />
          </span>
          <h1 class="stage-title">{panel.ways.value.length === 0 ? texts.codeTitle : texts.signInTitle}</h1>
          <SignInWays panel={panel} />
          {panel.ways.value.length > 0 && <p class="stage-advice">{texts.orByCode}</p>}
          <p class="stage-advice">{panel.crm === 'hubspot' ? texts.codeAdviceHubSpot : texts.codeAdvice}</p>
          <CodeForm panel={panel} second={panel.ways.value.length > 0} />
        </div>
      );
    case 'left':
      return (
        <div class="stage" role="status">
          <span class="stage-mark">
            <Mark size={40} />
          </span>
          <h1 class="stage-title">{texts.leftTitle}</h1>
          <button type="button" class="button" onClick={reload}>
            {texts.signInAnew}
          </button>
        </div>
      );
    case 'outside':
    case 'halted':
      return (
        <div class="stage" role="alert">
          <span class="stage-mark">
            <Mark size={40} />
          </span>
          <h1 class="stage-title">{stage.kind === 'outside' ? texts.outsideTitle : texts.haltedTitle}</h1>
          <p class="stage-advice">{stage.message}</p>
          <button type="button" class="button button-primary" onClick={reload}>
            {texts.tryAgain}
          </button>
          <SelfTestDoor panel={panel} />
        </div>
      );
  }
}

function SignInWays({ panel }: { readonly panel: Panel }) {
  const ways = panel.ways.value;
  if (ways.length === 0) return null;
  return (
    <div class="sign-in-ways">
      {ways.map((way, index) => (
        <button
          key={way.path}
          type="button"
          class={`button button-wide${index === 0 ? ' button-primary' : ''}`}
          aria-disabled={panel.codeBusy.value}
          onClick={() => void panel.signInBy(way)}
        >
          <bdi>{way.label}</bdi>
        </button>
      ))}
    </div>
  );
}
