import type { ArenaEvent, Frame } from './game';
import type { Camera } from './scene/camera';

const VOLUME = 0.25;

/**
 * Synthesised sounds, without files. Silent until the player has used the page, as browsers
 * require.
 */
export class Sound {
  #context: AudioContext | undefined;
  #out: GainNode | undefined;
  #noise: AudioBuffer | undefined;
  #engine: GainNode | undefined;
  #on = true;
  #shots = new Set<number>();

  /** Call it from a click or key, where browsers allow sound. */
  start(): void {
    if (this.#context || typeof AudioContext === 'undefined') return;
    const context = new AudioContext();
    this.#context = context;
    this.#out = new GainNode(context, { gain: this.#on ? VOLUME : 0 });
    this.#out.connect(context.destination);
    this.#noise = new AudioBuffer({ length: context.sampleRate, sampleRate: context.sampleRate });
    const samples = this.#noise.getChannelData(0);
    for (let at = 0; at < samples.length; at++) samples[at] = Math.random() * 2 - 1;
    this.#engine = new GainNode(context, { gain: 0 });
    const rumble = new AudioBufferSourceNode(context, { buffer: this.#noise, loop: true, playbackRate: 0.25 });
    rumble.connect(new BiquadFilterNode(context, { type: 'lowpass', frequency: 260 })).connect(this.#engine).connect(this.#out);
    rumble.start();
  }

  /** True if sound is on. */
  get isOn(): boolean {
    return this.#on;
  }

  /** Turns sound on or off. Returns true if it is now on. */
  toggle(): boolean {
    this.#on = !this.#on;
    if (this.#out) this.#out.gain.value = this.#on ? VOLUME : 0;
    return this.#on;
  }

  /** Updates the engine, and plays newly fired shots. */
  draw({ followed, entities }: Frame): void {
    if (!this.#context) return;
    this.#engine?.gain.setTargetAtTime(followed?.thrusting ? 0.55 : 0, this.#context.currentTime, 0.06);
    const seen = new Set<number>();
    for (const shot of entities.of('Shot')) {
      seen.add(shot.id);
      if (this.#shots.has(shot.id) || !followed) continue;
      const distance = Math.hypot(shot.pos.x - followed.pos.x, shot.pos.y - followed.pos.y);
      if (distance < 700) this.#zap(0.32 * (1 - distance / 700), shot.team === followed.team ? 880 : 700);
    }
    this.#shots = seen;
  }

  /** Plays an event. */
  play(event: ArenaEvent, camera: Camera, { player }: Frame): void {
    if (event.kind === 'RoundOver') return this.#chime([523, 659, 784, 1047], 0.5);
    if (event.kind === 'TeamChange') return;
    const near = camera.nearness(event.pos);
    if (near <= 0) return;
    if (event.kind === 'Kill') this.#boom(near, 1.1, 900);
    else if (event.kind === 'Crack') this.#boom(near * 0.6, event.size === 'Large' ? 0.7 : 0.4, 600);
    else if (event.kind === 'Hit') this.#boom(near * (event.victim === player ? 0.8 : 0.3), 0.14, 2600);
    else if (event.player === player) this.#chime([660, 990], 0.4);
  }

  /** Silences everything. */
  silence(): void {
    if (this.#context) this.#engine?.gain.setTargetAtTime(0, this.#context.currentTime, 0.02);
  }

  #zap(volume: number, hz: number): void {
    const [context, out] = [this.#context, this.#out];
    if (!context || !out) return;
    const at = context.currentTime;
    const tone = new OscillatorNode(context, { type: 'square', frequency: hz });
    tone.frequency.exponentialRampToValueAtTime(hz / 6, at + 0.13);
    tone.connect(this.#fading(volume, 0.14)).connect(out);
    tone.start(at);
    tone.stop(at + 0.15);
  }

  #boom(volume: number, seconds: number, hz: number): void {
    const [context, out, buffer] = [this.#context, this.#out, this.#noise];
    if (!context || !out || !buffer) return;
    const source = new AudioBufferSourceNode(context, { buffer, playbackRate: 0.4 + Math.random() * 0.2 });
    const filter = new BiquadFilterNode(context, { type: 'lowpass', frequency: hz });
    filter.frequency.exponentialRampToValueAtTime(60, context.currentTime + seconds);
    source.connect(filter).connect(this.#fading(volume, seconds)).connect(out);
    source.start();
    source.stop(context.currentTime + seconds);
  }

  #chime(tones: readonly number[], volume: number): void {
    const [context, out] = [this.#context, this.#out];
    if (!context || !out) return;
    tones.forEach((frequency, at) => {
      const start = context.currentTime + at * 0.09;
      const tone = new OscillatorNode(context, { type: 'triangle', frequency });
      tone.connect(this.#fading(volume, 0.35, start)).connect(out);
      tone.start(start);
      tone.stop(start + 0.4);
    });
  }

  #fading(volume: number, seconds: number, start = this.#context?.currentTime ?? 0): GainNode {
    const gain = new GainNode(this.#context!, { gain: 0 });
    gain.gain.setValueAtTime(Math.max(volume, 0.001), start);
    gain.gain.exponentialRampToValueAtTime(0.001, start + seconds);
    return gain;
  }
}
