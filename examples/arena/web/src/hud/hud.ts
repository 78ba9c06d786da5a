import type { Stats } from 'tickwire';
import { byId, setText } from '../dom';
import { type ArenaEvent, type Frame, RESPAWN_MS } from '../game';
import { recall, remember } from '../memory';
import { calm } from '../motion';
import type { Camera } from '../scene/camera';
import { Board } from './board';
import { Feed } from './feed';
import { Gauges } from './gauges';
import { WorldMap } from './map';
import { NetCurves } from './graph';
import { NetGraph } from './net';

/** Time without a snapshot after which the player is told. */
const STALLED_MS = 1200;
const BANNER_MS = 6000;
const FLASH_SECONDS = 0.5;

/** The overlay of the scene, without the chat. */
export class Hud {
  readonly #root = byId('hud');
  readonly #vignette = byId('vignette');
  readonly #banner = byId('banner');
  readonly #stalled = byId('stalled');
  readonly #respawn = byId('respawn');
  readonly #cause = byId('respawn-cause');
  readonly #seconds = byId('respawn-seconds');
  readonly #board = new Board();
  readonly #feed = new Feed();
  readonly #gauges = new Gauges();
  readonly #map = new WorldMap();
  readonly #net = new NetGraph();
  readonly #curves = new NetCurves();
  /** True if the network statistics are shown. */
  showsStats = recall('statistics') === 'shown';
  #bannerTimer: ReturnType<typeof setTimeout> | undefined;
  #flash = 0;
  #lostMs: number | undefined;
  #killer: number | undefined;
  #hadShip = false;

  /** Shows the overlay. */
  show(): void {
    this.#feed.clear();
    this.#showStats();
    this.#root.hidden = false;
  }

  /** Hides the overlay. */
  stop(): void {
    this.#root.hidden = true;
    this.#vignette.style.opacity = '0';
  }

  /**
   * Shows or hides the network statistics, now and on the next visit. Returns true if they are now
   * shown.
   */
  toggleStats(): boolean {
    this.showsStats = !this.showsStats;
    remember('statistics', this.showsStats ? 'shown' : 'hidden');
    this.#showStats();
    return this.showsStats;
  }

  #showStats(): void {
    this.#net.shown = this.#curves.shown = this.showsStats;
  }

  /** Updates everything. */
  draw(frame: Frame, camera: Camera, stats: () => Stats): void {
    if (frame.isReconnecting) this.#tellSilence('Connection lost. Reconnecting …');
    this.#board.draw(frame);
    this.#gauges.draw(frame.own);
    this.#map.draw(frame, camera);
    this.#net.draw(frame.nowMs, () => {
      const now = stats();
      if (!frame.isReconnecting) this.#tellSilence(now.silenceMs < STALLED_MS ? '' : 'Waiting for the server …');
      return now;
    });
    this.#curves.draw(stats);
    this.#drawRespawn(frame);
    const { own } = frame;
    this.#flash = Math.max(0, this.#flash - frame.seconds / FLASH_SECONDS);
    const warning = own && own.health <= 25 ? 0.3 + (calm() ? 0 : 0.15 * Math.sin(frame.nowMs / 140)) : 0;
    this.#vignette.style.opacity = Math.max(this.#flash, warning).toFixed(2);
  }

  /** Shows an event. */
  play(event: ArenaEvent, { player, roster }: Frame): void {
    switch (event.kind) {
      case 'Hit':
        if (event.victim === player) this.#flash = Math.max(this.#flash, 0.8);
        return;
      case 'Kill':
        this.#feed.add(event, roster, player);
        if (event.victim !== player) return;
        this.#flash = 1;
        this.#killer = event.killer;
        return;
      case 'RoundOver': {
        const { azure, amber } = event;
        const winner = azure === amber ? 'A draw' : azure > amber ? 'Azure wins' : 'Amber wins';
        return this.announce(`${winner}  ${azure} : ${amber}`);
      }
      case 'TeamChange': {
        if (event.player !== player) return;
        const { team, is_granted: isGranted } = event;
        return this.announce(isGranted ? `You fly for ${team} now` : `Stay with ${team}: the other team is larger`);
      }
    }
  }

  /** Shows large text for some seconds. */
  announce(text: string): void {
    setText(this.#banner, text);
    this.#banner.classList.add('shown');
    clearTimeout(this.#bannerTimer);
    this.#bannerTimer = setTimeout(() => this.#banner.classList.remove('shown'), BANNER_MS);
  }

  /** Says why nothing moves; an empty text says that all is well. */
  #tellSilence(text: string): void {
    this.#stalled.hidden = text === '';
    setText(this.#stalled, text);
  }

  #drawRespawn({ own, nowMs, roster }: Frame): void {
    if (own) {
      if (!this.#hadShip) this.announce(`You fly for ${own.team}`);
      this.#hadShip = true;
      this.#lostMs = this.#killer = undefined;
    }
    const lost = this.#hadShip && !own;
    this.#respawn.hidden = !lost;
    if (!lost) return;
    this.#lostMs ??= nowMs;
    const killer = this.#killer;
    const cause = killer ? `Shot down by ${roster.nameOf(killer) || 'someone'}` : killer === 0 ? 'Crashed' : 'Ship lost';
    setText(this.#cause, cause);
    const left = Math.max(0, RESPAWN_MS - (nowMs - this.#lostMs));
    setText(this.#seconds, String(Math.max(1, Math.ceil(left / 1000))));
  }
}
