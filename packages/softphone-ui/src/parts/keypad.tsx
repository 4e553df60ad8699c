/** Twelve keys. Owns nothing: a press is told to whoever shows the keypad. */
import { texts } from '../texts.ts';

const keys = [
  ['1', ''],
  ['2', 'ABC'],
  ['3', 'DEF'],
  ['4', 'GHI'],
  ['5', 'JKL'],
  ['6', 'MNO'],
  ['7', 'PQRS'],
  ['8', 'TUV'],
  ['9', 'WXYZ'],
  ['*', ''],
  ['0', '+'],
  ['#', ''],
] as const;

const names: Readonly<Record<string, string>> = { '*': 'Star', '#': 'Hash' };

export function Keypad({
  onPress,
  onHoldZero,
}: {
  readonly onPress: (digit: string) => void;
  /** A long or second-button press of 0: the plus of an international number. */
  readonly onHoldZero?: () => void;
}) {
  return (
    <fieldset class="keypad" aria-label={texts.keypadLabel}>
      {keys.map(([digit, letters]) => (
        <button
          key={digit}
          type="button"
          class="key"
          data-letters={letters}
          aria-label={names[digit] ?? digit}
          onClick={() => onPress(digit)}
          onContextMenu={(event) => {
            if (digit !== '0' || onHoldZero === undefined) return;
            event.preventDefault();
            onHoldZero();
          }}
        >
          <span class="key-digit digits">{digit}</span>
        </button>
      ))}
    </fieldset>
  );
}
