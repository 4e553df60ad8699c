/**
 * The panel on a page: draws the stages and screens of one `Panel` into one element. Owns what belongs to the page as a whole: where the
 * focus goes when what had it is gone, what is announced, and the question before a page with a live call is left. It never takes the focus
 * from anywhere else.
 */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Panel, Stage } from './panel.ts';
import { Banners, NoticeLine } from './parts/banners.tsx';
import { UnfinishedCalls } from './parts/call-strips.tsx';
import { Header, HelpPopover } from './parts/header.tsx';
import { KnockingCall } from './parts/knocking-call.tsx';
import { fetchLaterScreens, IfLoaded, LaterPlace, loadLaterScreens } from './parts/later-place.tsx';
import { openByAddress, SelfTestPlace } from './parts/self-test-door.tsx';
import { startQuickKeys } from './quick-keys.ts';
import { CallScreen } from './screens/call-screen.tsx';
import { IncomingScreen } from './screens/incoming-screen.tsx';
import { Opening } from './screens/opening.tsx';
import { ReadyScreen } from './screens/ready-screen.tsx';
import type { SoftphoneModel } from './softphone-model.ts';
import { texts } from './texts.ts';

export interface MountOptions {
  /** Loads the page anew; the agent's way out of a start that failed. */
  readonly reload: () => void;
}

/** Draws the panel; the returned function takes it off the page again. The stylesheet is the page's (`panel.css`). */
export function mountPanel(element: HTMLElement, panel: Panel, options: MountOptions): () => void {
  const page = element.ownerDocument;
  const stopAsking = askBeforeLeaving(page, panel);
  const stopAddress = openByAddress(page.defaultView, panel.selfTestOpen);
  let stopKeys: (() => void) | null = null;
  const stopStages = effect(() => {
    const stage = panel.stage.value;
    stopKeys?.();
    stopKeys = stage.kind === 'ready' ? startQuickKeys(page, stage.model) : null;
  });
  render(<App panel={panel} reload={options.reload} />, element);
  return () => {
    stopStages();
    stopKeys?.();
    stopAsking();
    stopAddress();
    render(null, element);
  };
}

/**
 * The browser asks in its own words; ours would not be shown. Only the frame that holds the call asks, and only where the next page would not take
 * it up: in a window of its own leaving means closing, and no page comes after it.
 */
function askBeforeLeaving(page: Document, panel: Panel): () => void {
  const view = page.defaultView;
  const stands = (view?.top?.opener ?? null) !== null;
  const ask = (event: BeforeUnloadEvent) => event.preventDefault();
  return effect(() => {
    const stage = panel.stage.value;
    // A listener that is always there would keep the page out of the back-forward cache.
    const model = stage.kind === 'ready' ? stage.model : null;
    if ((stands ? model?.wouldEndCall : model?.wouldLoseCall)?.value === true)
      view?.addEventListener('beforeunload', ask);
    else view?.removeEventListener('beforeunload', ask);
  });
}

function App({ panel, reload }: { readonly panel: Panel; readonly reload: () => void }) {
  const stage = panel.stage.value;
  if (stage.kind === 'ready') return <Phone panel={panel} model={stage.model} reload={reload} />;
  if (stage.kind === 'player')
    return (
      <div class="panel">
        <main class="main">
          <h1 class="unseen">{texts.product}</h1>
          <LaterPlace>{({ RecordingPage }) => <RecordingPage model={stage.model} />}</LaterPlace>
        </main>
      </div>
    );
  return (
    <div class="panel">
      <main class="main">
        {panel.selfTestOpen.value && isSettled(stage) ? (
          <>
            <h1 class="unseen">{texts.product}</h1>
            <SelfTestPlace panel={panel} />
          </>
        ) : (
          <Opening panel={panel} stage={stage} reload={reload} />
        )}
      </main>
    </div>
  );
}

/** A phone that is just starting can't be judged yet. */
function isSettled(stage: Stage): boolean {
  return stage.kind !== 'opening' || stage.problem !== null;
}

function Phone({
  panel,
  model,
  reload,
}: {
  readonly panel: Panel;
  readonly model: SoftphoneModel;
  readonly reload: () => void;
}) {
  const { screen, knocking } = model.layout.value;
  const question = model.callQuestion.value;
  const main = useFocusRescue();
  const called = screen.kind === 'incoming' || screen.kind === 'call';
  useEffect(fetchLaterScreens, []);
  // Where that failed, or a call was quicker.
  useEffect(() => {
    if (called) void loadLaterScreens();
  }, [called]);
  return (
    <div class="panel" data-screen={screen.kind}>
      <Header model={model} />
      <main ref={main} class="main" tabIndex={-1}>
        <IfLoaded>{({ PhoneElsewhere }) => <PhoneElsewhere model={model} />}</IfLoaded>
        <Banners panel={panel} reload={reload} />
        <NoticeLine model={model} />
        {knocking.map((call) => (
          <KnockingCall key={call.id} model={model} call={call} />
        ))}
        {question !== null && (
          <LaterPlace>{({ CallQuestionCard }) => <CallQuestionCard question={question} />}</LaterPlace>
        )}
        <UnfinishedCalls model={model} />
        {screen.kind === 'ready' &&
          (panel.selfTestOpen.value ? <SelfTestPlace panel={panel} /> : <ReadyScreen panel={panel} model={model} />)}
        {screen.kind === 'incoming' && <IncomingScreen key={screen.call.id} model={model} call={screen.call} />}
        {screen.kind === 'call' && <CallScreen key={screen.call.id} model={model} call={screen.call} />}
        {screen.kind === 'wrap-up' && (
          <LaterPlace>
            {({ WrapUpScreen }) => <WrapUpScreen key={screen.call.id} model={model} call={screen.call} />}
          </LaterPlace>
        )}
      </main>
      <HelpPopover />
      <IfLoaded>{({ VoiceKeeper }) => <VoiceKeeper model={model} />}</IfLoaded>
      <Announcer model={model} />
    </div>
  );
}

/** Both regions are there from the start: a region that appears together with its words is often not read. */
function Announcer({ model }: { readonly model: SoftphoneModel }) {
  const announcement = model.announcement.value;
  return (
    <>
      <div class="unseen" aria-live="polite">
        {announcement?.manner === 'polite' ? announcement.text : ''}
      </div>
      <div class="unseen" aria-live="polite">
        {model.wrapUpWords.value}
      </div>
      <div class="unseen" aria-live="polite">
        {model.toCall.words.value}
      </div>
      <div class="unseen" aria-live="assertive">
        {announcement?.manner === 'assertive' ? announcement.text : ''}
      </div>
    </>
  );
}

/**
 * When the element that had the focus leaves the page, the browser drops the focus to the document's start and a keyboard is lost. Then, and
 * only then, it goes to the main part; who was writing the note of a call goes on where its next screen has that note.
 */
function useFocusRescue() {
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    const place = main.current;
    if (place === null) return;
    const page = place.ownerDocument;
    let last: Element | null = null;
    const remember = (event: FocusEvent) => {
      last = event.target as Element;
    };
    const rescue = new MutationObserver(() => {
      if (last === null || last.isConnected || page.activeElement !== page.body) return;
      const note = goesOn(place, last);
      last = null;
      (note ?? place).focus({ preventScroll: true });
    });
    page.addEventListener('focusin', remember);
    rescue.observe(place, { childList: true, subtree: true });
    return () => {
      page.removeEventListener('focusin', remember);
      rescue.disconnect();
    };
  }, []);
  return main;
}

/** The same note on the next screen, the caret where it was: a call may end in the middle of a word, and what is typed then belongs to the note. */
function goesOn(place: HTMLElement, last: Element): HTMLElement | null {
  if (!(last instanceof HTMLTextAreaElement) || last.dataset.note === undefined) return null;
  const next = place.querySelector<HTMLTextAreaElement>(`textarea[data-note="${CSS.escape(last.dataset.note)}"]`);
  next?.setSelectionRange(last.selectionStart, last.selectionEnd);
  return next;
}
