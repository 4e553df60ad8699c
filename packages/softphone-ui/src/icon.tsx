/** Every icon of the panel, taken one by one from lucide. Owns which picture means what; an icon never carries meaning alone. */
import {
  ArrowLeftRight,
  Check,
  CircleCheck,
  CircleParking,
  CircleQuestionMark,
  Clock,
  Delete,
  Ellipsis,
  ExternalLink,
  Grip,
  History,
  Info,
  Mic,
  MicOff,
  Pause,
  Phone,
  PhoneForwarded,
  PhoneIncoming,
  PhoneMissed,
  PhoneOff,
  PhoneOutgoing,
  Play,
  Plus,
  Settings,
  Trash2,
  TriangleAlert,
  UserRound,
  UsersRound,
  Voicemail,
  X,
} from 'lucide';
import { h } from 'preact';

const icons = {
  answer: Phone,
  call: Phone,
  check: Check,
  close: X,
  conference: UsersRound,
  delete: Delete,
  done: CircleCheck,
  hangUp: PhoneOff,
  help: CircleQuestionMark,
  history: History,
  hold: Pause,
  inbound: PhoneIncoming,
  info: Info,
  keypad: Grip,
  missed: PhoneMissed,
  more: Ellipsis,
  mute: Mic,
  muted: MicOff,
  newCall: Plus,
  open: ExternalLink,
  outbound: PhoneOutgoing,
  park: CircleParking,
  person: UserRound,
  remove: Trash2,
  resume: Play,
  settings: Settings,
  swap: ArrowLeftRight,
  transfer: PhoneForwarded,
  voicemail: Voicemail,
  waiting: Clock,
  warning: TriangleAlert,
} as const;

export type IconName = keyof typeof icons;

/** Draws one icon in the colour of the text around it; hidden from screen readers. */
export function Icon({ name, size = 20 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {icons[name].map(([tag, attributes], index) => h(tag, { ...attributes, key: index }))}
    </svg>
  );
}

/** Patchcord's mark: two plugs and the cord between them. */
export function Mark({ size = 24 }: { readonly size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true" focusable="false">
      <path class="mark-cord" d="M8 14.5V20a5 5 0 0 0 10 0v-8a3 3 0 0 1 6 0v5.5" />
      <rect class="mark-plug" x="5" y="6.5" width="6" height="8" rx="1.8" />
      <path class="mark-tip" d="M8 6.5V2.5" />
      <rect class="mark-plug" x="21" y="17.5" width="6" height="8" rx="1.8" />
      <path class="mark-tip" d="M24 25.5v4" />
    </svg>
  );
}
