/** How loud each side of a recording is, and where one is in it. Owns the drawing and the slider it is for keyboard and screen reader. */
import { useEffect, useRef } from 'preact/hooks';
import { formatDuration } from '../parts/call-timer.tsx';
import type { Ready } from './listening.ts';
import { words } from './words.ts';

interface WaveformProps {
  readonly recording: Ready;
  /** For each channel whether it is heard. */
  readonly audible: readonly boolean[];
  /** The order in which channels are drawn, from above. */
  readonly order: readonly number[];
  readonly atMs: number;
  readonly seek: (ms: number) => void;
}

export function Waveform({ recording, audible, order, atMs, seek }: WaveformProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { durationMs } = recording;
  const redraw = useRef(() => {});
  redraw.current = () => {
    if (canvas.current !== null) draw(canvas.current, recording, audible, order, atMs);
  };
  useEffect(() => redraw.current());
  useEffect(() => {
    const again = (): void => redraw.current();
    const sized = new ResizeObserver(again);
    if (canvas.current !== null) sized.observe(canvas.current);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', again);
    return () => {
      sized.disconnect();
      dark.removeEventListener('change', again);
    };
  }, []);

  function point(event: PointerEvent): void {
    const box = canvas.current?.getBoundingClientRect();
    if (box === undefined || event.buttons !== 1) return;
    seek(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * durationMs);
  }

  return (
    <div
      class="player-wave"
      role="slider"
      tabIndex={0}
      aria-label={words.playerPosition}
      aria-valuemin={0}
      aria-valuemax={Math.round(durationMs / 1_000)}
      aria-valuenow={Math.round(atMs / 1_000)}
      aria-valuetext={words.playerAt(formatDuration(atMs), formatDuration(durationMs))}
      onPointerDown={point}
      onPointerMove={point}
    >
      <canvas ref={canvas} class="player-canvas" />
    </div>
  );
}

function draw(
  canvas: HTMLCanvasElement,
  { peaks, durationMs, channels, pauses }: Ready,
  audible: readonly boolean[],
  order: readonly number[],
  atMs: number,
): void {
  const scale = devicePixelRatio;
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  if (width === 0 || height === 0) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = getComputedStyle(canvas).color;
  const row = height / channels;
  const step = Math.max(2, Math.round(3 * scale));
  const played = (atMs / durationMs) * width;
  for (const { startMs, endMs } of pauses) {
    pen.globalAlpha = 0.12;
    pen.fillRect((startMs / durationMs) * width, 0, ((endMs - startMs) / durationMs) * width, height);
  }
  for (const [place, channel] of order.entries()) {
    const levels = peaks?.[channel] ?? [];
    for (let x = 0; x < width; x += step) {
      const from = Math.floor((x / width) * levels.length);
      const to = Math.max(from + 1, Math.ceil(((x + step) / width) * levels.length));
      const level = Math.max(0, ...levels.slice(from, to)) / 255;
      const tall = Math.max(scale, level * (row - 4 * scale));
      pen.globalAlpha = audible[channel] === false ? 0.15 : x < played ? 1 : 0.4;
      pen.fillRect(x, place * row + (row - tall) / 2, step - scale, tall);
    }
  }
  pen.globalAlpha = 1;
  pen.fillRect(Math.min(width - scale, Math.max(0, played - scale / 2)), 0, scale, height);
}
