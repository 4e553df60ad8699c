/** What the help says: the keys that act from anywhere. */
import { texts } from '../texts.ts';

export function HelpWords() {
  return (
    <>
      <p class="quiet">{texts.helpIntro}</p>
      <dl class="help-keys">
        {texts.keys.map(([keys, meaning]) => (
          <div key={keys} class="help-row">
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
